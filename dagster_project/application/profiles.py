"""Profiles in use: loading them, judging them, and which one a bridge is rendered with.

Belongs here: reading profile files and assigning them. Until profiles can be approved, every profile that is
loaded has the state `unapproved_demo`, which release will refuse.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import yaml

from dagster_project.application.workspace import Workspace
from dagster_project.application.writing import judge_profile
from dagster_project.errors import Unavailable, UnsafeOrRejected, UsageError
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.channels import require_bridge
from dagster_project.packaging.context import BridgeFacts
from dagster_project.packaging.profile import Profile, profile_digest, profile_document, read_profile
from dagster_project.packaging.profile_validation import ERROR
from dagster_project.store import profiles as profile_rows
from dagster_project.store.profiles import ALL_INCIDENTS, NewProfile, add_profile
from dagster_project.store.profiles import find_profile as find_stored_profile

UNAPPROVED: Final = "unapproved_demo"
EVERY_BRIDGE: Final = ""
DIGEST_PREFIX: Final = "sha256:"


def read_profile_file(path: Path) -> Profile:
    """Read a profile from a YAML file.

    Raises:
        Unavailable: the file is missing or unreadable.
        UnsafeOrRejected: not YAML, or not a disclosure profile.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            "profile_unreadable",
            what=f"the profile cannot be read ({type(error).__name__})",
            where=str(path),
            what_to_do="Name a readable YAML file; the shipped ones are listed by `channelsafe profile list`.",
        ) from error
    return _parse(text, where=path.name)


def shipped_profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with the project."""
    folder = resources.files("dagster_project.packaging") / "profiles"
    return tuple(sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")))


def shipped_profile(name: str) -> Profile:
    """Return a profile that comes with the project, by file name without ending."""
    file = resources.files("dagster_project.packaging") / "profiles" / f"{name}.yaml"
    return _parse(file.read_text(encoding="utf-8"), where=file.name)


def find_profile(name: str) -> Profile:
    """Return a shipped profile by its name, or else read `name` as the path of a file."""
    return shipped_profile(name) if name in shipped_profile_names() else read_profile_file(Path(name))


def find_or_stored(workspace: Workspace, name: str) -> Profile:
    """Return the loaded profile of this digest, or else what `find_profile` returns.

    Raises:
        UsageError: it is a digest, and no such profile was loaded.
    """
    if not name.startswith(DIGEST_PREFIX):
        return find_profile(name)
    with workspace.store.read() as transaction:
        if find_stored_profile(transaction, name) is None:
            raise UsageError(
                "no_such_profile",
                what="no profile of this digest was loaded",
                where=f"profile {name}",
                what_to_do="Name a file, a shipped profile, or a digest that `channelsafe profile show` lists.",
            )
        return workspace.shelf.tables(transaction, name).profile


def _parse(text: str, *, where: str) -> Profile:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UnsafeOrRejected(
            "profile_not_yaml",
            what="the profile is not YAML",
            where=where,
            what_to_do="Correct the file; a YAML linter names the line.",
        ) from error
    return read_profile(document, where=where)


def require_sound(profile: Profile) -> None:
    """Refuse a profile that has errors: nothing is rendered with it.

    Raises:
        UnsafeOrRejected: ``profile_invalid``; the first error is named.
    """
    errors = [finding for finding in judge_profile(profile) if finding.level == ERROR]
    if errors:
        raise UnsafeOrRejected(
            "profile_invalid",
            what=f"the profile has {len(errors)} errors, the first is {errors[0].code} at {errors[0].where}",
            where=profile.name,
            what_to_do="See every finding with `channelsafe profile validate FILE` and correct the profile.",
        )


def load_profile(workspace: Workspace, profile: Profile) -> str:
    """Store a profile so that bridges can be rendered with it; return its digest.

    Raises:
        UnsafeOrRejected: the profile has errors; it is not stored.
    """
    require_sound(profile)
    digest = profile_digest(profile)
    new = NewProfile(
        profile_digest=digest,
        name=profile.name,
        channel=profile.channel,
        state=UNAPPROVED,
        loaded_at=workspace.clock.now(),
    )
    with workspace.store.begin() as transaction:
        add_profile(transaction, new, body=canonical_bytes(profile_document(profile)))
    return digest


def assign_profile(
    workspace: Workspace, digest: str, *, bridge: str = EVERY_BRIDGE, incident: str = ALL_INCIDENTS
) -> None:
    """Render a bridge with a stored profile from now on; without names, every bridge that has none of its own.

    Raises:
        UnsafeOrRejected: no contract record opens a bridge on the profile's channel.
    """
    with workspace.store.begin() as transaction:
        stored = profile_rows.find_profile(transaction, digest)
        if stored is not None:
            require_bridge(stored.channel, where=f"profile {stored.name}")
        profile_rows.assign_profile(
            transaction, incident=incident, bridge=bridge, profile_digest=digest, at=workspace.clock.now()
        )


def bridges_with_profiles(
    assigned: Mapping[tuple[str, str], str], *, incident: str, opened: Sequence[BridgeFacts]
) -> list[tuple[BridgeFacts, str]]:
    """Return the bridges that have a profile to be rendered with, each with its digest.

    A bridge that one customer's contract opens and nobody gave a profile keeps no other bridge in the dark.

    Raises:
        Unavailable: bridges are open and none of them has a profile.
    """
    have = [(one, digest) for one in opened if (digest := _digest_for(assigned, incident, one.bridge)) is not None]
    if opened and not have:
        raise without_profile(incident, [one.bridge for one in opened])
    return have


def without_profile(incident: str, bridges: Iterable[str]) -> Unavailable:
    """Return the error that says for which bridges no profile is in use."""
    return Unavailable(
        "profile_missing",
        what="no disclosure profile is in use",
        where=f"bridge {', '.join(sorted(bridges))} of incident {incident}",
        what_to_do="Load one with `channelsafe profile load FILE`.",
    )


def profile_for(assigned: Mapping[tuple[str, str], str], *, incident: str, bridge: str) -> str:
    """Return the digest of the profile that a bridge is rendered with: its own, or the one for every bridge.

    Args:
        assigned: What `store.profiles.assigned_profiles` returned for the incident.
        incident: Whose bridge; an assignment to it outranks one to all incidents.
        bridge: The customer bridge.

    Raises:
        Unavailable: no profile was loaded.
    """
    digest = _digest_for(assigned, incident, bridge)
    if digest is None:
        raise without_profile(incident, [bridge])
    return digest


def _digest_for(assigned: Mapping[tuple[str, str], str], incident: str, bridge: str) -> str | None:
    found = (assigned.get((owner, name)) for name in (bridge, EVERY_BRIDGE) for owner in (incident, ALL_INCIDENTS))
    return next((one for one in found if one is not None), None)
