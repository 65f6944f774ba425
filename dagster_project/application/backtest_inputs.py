"""What a backtest is asked with: history from a feed and account records, and the profiles that are in force.

Belongs here: reading these for the command line. A deployment is only asked which profiles are in force; nothing in it
changes, and a backtest needs none.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from dagster_project.application.backtest import Backtest, History, moments_of
from dagster_project.application.feeds import Feed, recorded_at, sample_accounts
from dagster_project.application.google_cloud import GOOGLE_CLOUD
from dagster_project.application.profile_approval import profile_standing
from dagster_project.application.profiles import find_profile, require_sound
from dagster_project.application.rehearsing import Moment
from dagster_project.application.statuspage import STATUSPAGE
from dagster_project.application.workspace import open_workspace
from dagster_project.clock import parse_instant
from dagster_project.connections.feed_reading import read_feed
from dagster_project.errors import Unavailable
from dagster_project.packaging.profile import Profile
from dagster_project.settings import Settings
from dagster_project.sources.envelope import is_instant
from dagster_project.store.profiles import ALL_INCIDENTS, assigned_profiles

_EVERY: Final = ""


def asked_for(
    settings: Settings, *, profile: str, feed: str, accounts: Path | None = None, against: str | None = None
) -> Backtest:
    """Read what is to be replayed, and under what.

    Args:
        settings: Where the deployment lies, if there is one.
        profile: Name of a shipped profile, or path of a file.
        feed: Path or URL of a Google Cloud or Statuspage feed; its form tells which.
        accounts: NDJSON file of contract and entitlement records; None for those of the feed's sample bridge.
        against: A profile to compare with; None for those in force in the deployment.

    Raises:
        UnsafeOrRejected: the feed is malformed as a whole, or a profile is malformed or has errors.
        Unavailable: a file or the feed cannot be read.
    """
    proposed = find_profile(profile)
    require_sound(proposed)
    compared = profiles_in_force(settings) if against is None else {_EVERY: find_profile(against)}
    return Backtest(history=read_history(feed, accounts), profile=proposed, against=compared)


def read_history(feed: str, accounts: Path | None = None) -> History:
    """Return what a feed and account records say; arguments and errors are those of `asked_for`."""
    content = read_feed(feed)
    kind = feed_of(content)
    moments = moments_of((recorded_at(one), one) for one in kind.events(content))
    lines = sample_accounts(kind) if accounts is None else _lines(accounts)
    return History(kind.unit, moments, _delivered(lines, otherwise=moments[0].at))


def feed_of(content: bytes) -> Feed:
    """Return the kind of feed that has this form: Statuspage's is one object, Google Cloud's a list.

    What is neither is refused by the parser of the kind that is returned.
    """
    return STATUSPAGE if content.lstrip()[:1] == b"{" else GOOGLE_CLOUD


def profiles_in_force(settings: Settings) -> dict[str, Profile]:
    """Return the profiles that are in force for every incident, by bridge; none where there is no deployment."""
    if not settings.home.exists():
        return {}
    workspace = open_workspace(settings)
    with workspace.store.read() as transaction:
        assigned = assigned_profiles(transaction, [])
        return {
            bridge: workspace.shelf.tables(transaction, digest).profile
            for (incident, bridge), digest in sorted(assigned.items())
            if incident == ALL_INCIDENTS and profile_standing(transaction, workspace, digest).in_force
        }


def _lines(accounts: Path) -> list[bytes]:
    try:
        return accounts.read_bytes().splitlines()
    except OSError as error:
        raise Unavailable(
            "accounts_unreadable",
            what=f"the account records cannot be read ({type(error).__name__})",
            where=str(accounts),
            what_to_do="Name a readable NDJSON file of contract and entitlement records.",
        ) from error


def _delivered(lines: Sequence[bytes], *, otherwise: datetime) -> tuple[Moment, ...]:
    """Deliver account records when they were recorded; what does not say when will be rejected, and counted."""
    return moments_of((_recorded(one) or otherwise, one) for one in lines if one.strip())


def _recorded(line: bytes) -> datetime | None:
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    said = read.get("recordedtime") if isinstance(read, dict) else None
    return parse_instant(said) if isinstance(said, str) and is_instant(said) else None
