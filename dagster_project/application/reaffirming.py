"""Reaffirming: moving the header of a page that is still so (rule R6).

Belongs here: the version that a person's observation, or sources that said the same again, puts after the current one.
Content does not change; `as_of` moves with records alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile

import msgspec

from dagster_project.application.issuing import issue
from dagster_project.application.profile_approval import require_in_force
from dagster_project.application.releasing import (
    StagedPage,
    check_of,
    context_of_version,
    issue_from,
    issue_of,
    predecessor_of_version,
    stage_by_policy,
    taken_of,
)
from dagster_project.application.review_state import TakenDecision, is_reviewable, review_state
from dagster_project.application.trust import current_trust
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging.candidate import make_candidate
from dagster_project.packaging.review_inputs import ReviewInputs
from dagster_project.review.decisions import Decision
from dagster_project.store.candidates import find_candidate, latest_candidate
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, versions_of


def issue_reaffirmation(
    workspace: Workspace, transaction: Transaction, decision: Decision, taken: Sequence[TakenDecision]
) -> VersionRow:
    """Issue the current page once more, seen to be still so.

    Raises:
        UnsafeOrRejected: too many followed one another without a new record, the sources call for another page by now,
            or a field that ages was not looked at.
    """
    versions = versions_of(transaction, decision.incident, decision.bridge)
    last = versions[-1]
    row = find_candidate(transaction, last.candidate_id or 0)
    before = context_of_version(workspace, transaction, last)
    if row is None or not people_may_reaffirm(workspace, transaction, versions):
        raise _refused(decision, "too_many_reaffirmations", "no new record came since the last reaffirmations")
    if not is_still_called_for(workspace, transaction, versions):
        raise _refused(decision, "sources_say_otherwise", "the sources call for another page than the current one")
    context = replace(before, review=_seen(before.review, decision, workspace.clock.now()))
    candidate = make_candidate(context, predecessor_of_version(workspace, transaction, versions))
    check = check_of(context, candidate, versions)
    if not check.holds_at(workspace.clock.now()) or (check.valid_until or last.valid_until) <= last.valid_until:
        raise _refused(decision, "not_all_was_looked_at", "a field that ages is not among those that were looked at")
    new = issue_from(workspace, row, context, candidate, check, kind="reaffirmation", behind={})
    return issue(workspace, transaction, new, taken_of(taken))


def _seen(review: ReviewInputs, decision: Decision, now: datetime) -> ReviewInputs:
    return msgspec.structs.replace(
        review, reaffirmed=tuple(sorted(decision.fields)), reaffirmed_at=min(decision.decided_at, now)
    )


def _in_a_row(versions: Sequence[VersionRow]) -> int:
    """Count the last versions that people reaffirmed without a new record."""
    seen = (one.kind == "reaffirmation" and one.reaffirmed_at is not None for one in reversed(versions))
    return sum(1 for _one in takewhile(bool, seen))


def _refused(decision: Decision, code: str, what: str) -> UnsafeOrRejected:
    return UnsafeOrRejected(
        code,
        what=what,
        where=f"incident {decision.incident}, bridge {decision.bridge}",
        what_to_do="Nothing was changed. Ask the sources for a new record, or look at every field that is shown.",
    )


def reaffirm_by_policy(workspace: Workspace, incident: str, bridge: str) -> VersionRow | None:
    """Issue the current page once more where it is about to be too old and its sources said the same again.

    Returns:
        The version, or None where that is not so.
    """
    with workspace.store.begin() as transaction:
        current_trust(transaction, workspace)
        versions = versions_of(transaction, incident, bridge)
        due = due_from(workspace, transaction, versions)
        page = None if due is None or workspace.clock.now() < due else said_again(workspace, transaction, versions)
        if page is None:
            return None
        state = page.state
        require_in_force(transaction, workspace, state.context.tables.digest)
        new = issue_of(workspace, state, page.candidate, page.check, kind="reaffirmation")
        return issue(workspace, transaction, new, taken_of(state.taken))


def due_from(workspace: Workspace, transaction: Transaction, versions: Sequence[VersionRow]) -> datetime | None:
    """Return from when on a bridge's current page is to be reaffirmed, or None where it has none that can be."""
    if not versions or versions[-1].state != "released" or versions[-1].candidate_id is None:
        return None
    policy = workspace.shelf.tables(transaction, versions[-1].profile_digest).profile.review_policy
    return versions[-1].valid_until - timedelta(minutes=policy.reaffirm_before_minutes)


def said_again(workspace: Workspace, transaction: Transaction, versions: Sequence[VersionRow]) -> StagedPage | None:
    """Return the current page as its sources state it anew, with a later validity; None where they do not."""
    last = versions[-1]
    if not is_reviewable(transaction, last.incident, last.bridge):
        return None
    page = stage_by_policy(workspace, transaction, review_state(workspace, transaction, last.incident, last.bridge))
    until = page.check.valid_until
    return None if page.missing or page.is_news or until is None or until <= last.valid_until else page


def is_still_called_for(workspace: Workspace, transaction: Transaction, versions: Sequence[VersionRow]) -> bool:
    """Tell whether nothing has come that the current page would have to say instead.

    A page that shows anything better than its source by now (R4) is not reaffirmed: what is new has to leave. Of a
    candidate that did not pass its check only this is known: whether it says anything new.
    """
    last = versions[-1]
    if is_reviewable(transaction, last.incident, last.bridge):
        state = review_state(workspace, transaction, last.incident, last.bridge)
        return not stage_by_policy(workspace, transaction, state).is_news
    newest = latest_candidate(transaction, last.incident, last.bridge)
    told_of = find_candidate(transaction, last.candidate_id or 0)
    return newest is not None and told_of is not None and newest.content_digest == told_of.content_digest


def people_may_reaffirm(workspace: Workspace, transaction: Transaction, versions: Sequence[VersionRow]) -> bool:
    """Tell whether the profile allows people one more reaffirmation without a new record."""
    policy = workspace.shelf.tables(transaction, versions[-1].profile_digest).profile.review_policy
    return _in_a_row(versions) < policy.reaffirmations
