"""Reminders: which bridges' pages are about to be too old, and what answers each (rule R6).

Belongs here: the list, read from the store for one instant; nothing is written and nobody is told. Answering is
`reaffirming` (policy, a person's observation), `releasing`, and the sources themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dagster_project.application.issuing import told_versions
from dagster_project.application.reaffirming import due_from, is_still_called_for, people_may_reaffirm, said_again
from dagster_project.application.review_state import is_reviewable
from dagster_project.application.workspace import Workspace
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, all_versions, versions_of


class Answer(StrEnum):
    """What keeps a page from being too old.

    `POLICY`: its sources said the same again, so the profile's approval does. `PERSON`: incident command or support
    leadership looks. `DECISION`: the sources call for another page, so what waits for people must be decided.
    `NEW_RECORD`: people looked as often as the profile allows, so a source must say something. `FAILED_CHECK`: what is
    new did not pass its release check, so the bridge knows nothing of it: see why, and ask the source where it is age.
    """

    POLICY = "policy"
    PERSON = "person"
    DECISION = "decision"
    NEW_RECORD = "new_record"
    FAILED_CHECK = "failed_check"


@dataclass(frozen=True)
class Reminder:
    """One current page that is too old from `stale_after` on, or behind what a failed check keeps back already.

    `fields` are the leaves that it shows.
    """

    incident: str
    bridge: str
    version: int
    stale_after: datetime
    answer: Answer
    fields: tuple[str, ...]


def reminders(workspace: Workspace) -> tuple[Reminder, ...]:
    """Return what is to be answered now, the most pressing first; what is too old already comes before all."""
    with workspace.store.read() as transaction:
        bridges = sorted({(one.incident, one.bridge) for one in all_versions(transaction)})
        found = [one for bridge in bridges for one in _of_bridge(workspace, transaction, *bridge)]
    return tuple(sorted(found, key=lambda one: (one.stale_after, one.incident, one.bridge)))


def reminders_of(workspace: Workspace, incident: str, bridge: str) -> tuple[Reminder, ...]:
    """Return the reminder of one bridge, if there is one."""
    with workspace.store.read() as transaction:
        return tuple(_of_bridge(workspace, transaction, incident, bridge))


def next_reminder(workspace: Workspace, incident: str, bridge: str) -> datetime | None:
    """Return from when on a bridge's page is on the list for its age, or None where none can be reaffirmed."""
    with workspace.store.read() as transaction:
        return due_from(workspace, transaction, versions_of(transaction, incident, bridge))


def _of_bridge(workspace: Workspace, transaction: Transaction, incident: str, bridge: str) -> Iterable[Reminder]:
    versions = versions_of(transaction, incident, bridge)
    due = due_from(workspace, transaction, versions)
    if due is None:
        return
    # What the sources say anew and nobody can show makes the page wrong long before it is old.
    failed = not is_reviewable(transaction, incident, bridge)
    if workspace.clock.now() < due and not (failed and not is_still_called_for(workspace, transaction, versions)):
        return
    last = versions[-1]
    (told,) = told_versions(transaction, [last])
    yield Reminder(
        incident=incident,
        bridge=bridge,
        version=last.version,
        stale_after=last.valid_until,
        answer=_answer(workspace, transaction, versions),
        fields=tuple(sorted(told.shown)),
    )


def _answer(workspace: Workspace, transaction: Transaction, versions: list[VersionRow]) -> Answer:
    if said_again(workspace, transaction, versions) is not None:
        return Answer.POLICY
    if not is_still_called_for(workspace, transaction, versions):
        reviewable = is_reviewable(transaction, versions[-1].incident, versions[-1].bridge)
        return Answer.DECISION if reviewable else Answer.FAILED_CHECK
    return Answer.PERSON if people_may_reaffirm(workspace, transaction, versions) else Answer.NEW_RECORD
