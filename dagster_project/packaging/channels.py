"""Channels: who reads what a profile renders, and where it may be released at all.

Belongs here: the closed list of channels, and refusing those on which no contract record can open a bridge. What a
channel may say is its profile's business (`profile`).
"""

from typing import Final

from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.context import EVERYBODY, BridgeFacts, bridges_of
from dagster_project.packaging.profile import Action, Profile
from dagster_project.packaging.snapshot import Snapshot

CUSTOMER_BRIDGE: Final = "customer_bridge"
ACCOUNT_TEAM: Final = "account_team"
PUBLIC_PAGE: Final = "public_page"
CHANNELS: Final = (CUSTOMER_BRIDGE, ACCOUNT_TEAM, PUBLIC_PAGE)
# The bridges of a contract record are customer bridges. Every other channel is for preview and comparison inside.
_BRIDGED: Final = frozenset({CUSTOMER_BRIDGE})
_ACCOUNT_FIELDS: Final = ("contract#", "entitlement#")


def require_bridge(channel: str, *, where: str) -> None:
    """Refuse a channel on which no contract record opens a bridge: nothing is assigned, released or published there.

    Args:
        channel: The profile's.
        where: What was to be assigned, released or published.

    Raises:
        UnsafeOrRejected: ``channel_without_bridge``.
    """
    if channel not in _BRIDGED:
        raise UnsafeOrRejected(
            "channel_without_bridge",
            what=f"no contract record opens a bridge on the channel {channel}: it is for preview and comparison alone",
            where=where,
            what_to_do="Nothing was changed. Look at it with `channelsafe preview`, or take a profile of the channel "
            f"{CUSTOMER_BRIDGE}.",
        )


def account_fields_shown(profile: Profile) -> tuple[str, ...]:
    """Return the source fields of contracts and entitlements that a profile renders or visibly holds, sorted."""
    shaping = {Action.RENDER, Action.HOLD}
    return tuple(
        sorted(
            name
            for rule in profile.rules
            if rule.action in shaping
            for name in rule.covers
            if name.startswith(_ACCOUNT_FIELDS)
        )
    )


def readers_of(channel: str, snapshot: Snapshot) -> tuple[BridgeFacts, ...]:
    """Return for whom a channel has a page of its own: each bridge of the incident, or everybody at once."""
    return (EVERYBODY,) if channel == PUBLIC_PAGE else bridges_of(snapshot)
