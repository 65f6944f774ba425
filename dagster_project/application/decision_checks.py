"""Decision checks: whether a decision may be taken, and on what it was taken is still so.

Belongs here: refusing a decision with its reason before anything is written. What it does is `deciding`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NoReturn

from dagster_project.application.issuing import told_versions
from dagster_project.application.pinned import require_incident
from dagster_project.application.releasing import stage
from dagster_project.application.review_state import ReviewState, TakenDecision, review_state, taken_decisions
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.trust import Trust
from dagster_project.review.coverage import Approval, may_approve
from dagster_project.review.decisions import MAY, NEED_A_REASON, Act, Decision, decision_digest
from dagster_project.review.history import active_holds, active_pulls
from dagster_project.store.candidates import latest_candidate
from dagster_project.store.profile_proposals import find_proposal
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import VersionRow, versions_of

# A person's clock may run ahead; a decision from long ago is not one on what is shown now.
AHEAD: Final = timedelta(minutes=5)
OLDEST: Final = timedelta(hours=12)


@dataclass(frozen=True)
class Proposed:
    """A decision with the person whose signature it bears, not taken yet."""

    workspace: Workspace
    transaction: Transaction
    trust: Trust
    decision: Decision
    person: str
    keyid: str

    @property
    def digest(self) -> str:
        """What names the decision."""
        return decision_digest(self.decision, self.keyid)

    @property
    def roles(self) -> frozenset[str]:
        """The person's roles."""
        return self.trust.roles_of(self.person)

    def taken(self) -> tuple[TakenDecision, ...]:
        """Return the decisions about the same bridge that were taken before."""
        return taken_decisions(self.transaction, self.trust, self.decision.incident, self.decision.bridge)

    def versions(self) -> list[VersionRow]:
        """Return the bridge's versions."""
        return versions_of(self.transaction, self.decision.incident, self.decision.bridge)

    def refuse(self, code: str, what: str, what_to_do: str) -> NoReturn:
        """Refuse the decision.

        Raises:
            UnsafeOrRejected: always.
        """
        decision = self.decision
        raise UnsafeOrRejected(
            code,
            what=what,
            where=f"{decision.act} of incident {decision.incident or '-'}, bridge {decision.bridge or '-'}",
            what_to_do=f"Nothing was changed. {what_to_do}",
        )


def check_decision(proposed: Proposed) -> None:
    """Refuse a decision that may not be taken.

    Raises:
        UnsafeOrRejected: with the reason; nothing was changed.
    """
    decision, now = proposed.decision, proposed.workspace.clock.now()
    if decision.deployment != proposed.trust.deployment:
        proposed.refuse("decision_of_another_deployment", "it was made for another deployment", "Make it here.")
    if not now - OLDEST <= decision.decided_at <= now + AHEAD:
        proposed.refuse("decision_out_of_time", "the decision is too old, or from the future", "Make it again.")
    if not proposed.roles & MAY[decision.act]:
        proposed.refuse("role_missing", "the person has no role that may do this", "Ask someone who has.")
    if decision.act in NEED_A_REASON and not decision.reason.strip():
        proposed.refuse("reason_missing", "this needs a reason", "Say why.")
    _CHECKS[decision.act](proposed)


def _state(proposed: Proposed, *also: Approval) -> ReviewState:
    decision = proposed.decision
    return review_state(proposed.workspace, proposed.transaction, decision.incident, decision.bridge, also)


def _changes_still_open(proposed: Proposed, state: ReviewState) -> None:
    known = {one.digest: one for one in state.changes}
    if any(digest not in known for digest in proposed.decision.changes):
        proposed.refuse(
            "change_overtaken",
            "a change that is named is not, or no longer, one that this bridge waits for",
            "Look at what waits now with `channelsafe review show`.",
        )
    if proposed.decision.candidate != state.candidate.ordinal:
        proposed.refuse(
            "candidate_overtaken", "a newer candidate is there", "Look at it with `channelsafe review show`."
        )


def _approve(proposed: Proposed) -> None:
    decision = proposed.decision
    state = _state(proposed, Approval(proposed.person, proposed.roles, frozenset(decision.changes)))
    _changes_still_open(proposed, state)
    if not decision.changes and not decision.page:
        proposed.refuse("nothing_decided", "neither a change nor a page is named", "Name what is approved.")
    named = [one for one in state.changes if one.digest in decision.changes]
    if any(not may_approve(one, proposed.person) for one in named):
        proposed.refuse("own_record", "nobody approves what they recorded (R2)", "Have someone else approve it.")
    if decision.page and stage(proposed.workspace, proposed.transaction, state).digest != decision.page:
        proposed.refuse(
            "page_overtaken",
            "the page that may leave is not the one that was looked at",
            "Look at it again with `channelsafe review show`.",
        )


def _reject(proposed: Proposed) -> None:
    if not proposed.decision.changes:
        proposed.refuse("nothing_decided", "no change is named", "Name what is rejected.")
    _changes_still_open(proposed, _state(proposed))


def _hold(proposed: Proposed) -> None:
    decision = proposed.decision
    require_incident(proposed.transaction, decision.incident)
    known = latest_candidate(proposed.transaction, decision.incident, decision.bridge) or proposed.versions()
    if decision.bridge and not known:
        # A hold on a name that was mistyped would stop nothing, and look as if it did.
        proposed.refuse(
            "bridge_unknown", "the incident has no such bridge", "Check its name, or hold the whole incident."
        )
    if proposed.decision.role not in proposed.roles:
        proposed.refuse("role_missing", "a hold is made in a role that the person has", "Name one of their roles.")


def _lift(proposed: Proposed) -> None:
    decision = proposed.decision
    holds = {one.row.decision_digest: one.decision for one in proposed.taken() if one.decision.act is Act.HOLD}
    active = active_holds([(one.row.decision_digest, one.decision) for one in proposed.taken()])
    held = holds.get(decision.refers_to)
    if held is None or decision.refers_to not in active or held.bridge != decision.bridge:
        proposed.refuse("no_such_hold", "there is no such hold", "List the holds with `channelsafe review show`.")
    if held.role != decision.role or decision.role not in proposed.roles:
        proposed.refuse("other_role", "a hold is lifted by the role that made it", f"Ask {held.role}.")


def _version(proposed: Proposed) -> VersionRow:
    found = next((one for one in proposed.versions() if one.version == proposed.decision.version), None)
    if found is None:
        proposed.refuse("no_such_version", "there is no such version", "See `channelsafe history`.")
    return found


def _pull(proposed: Proposed) -> None:
    (told,) = told_versions(proposed.transaction, [_version(proposed)])
    fields = proposed.decision.fields
    if not fields or any(pointer not in told.shown for pointer in fields):
        proposed.refuse(
            "field_not_shown", "the version does not show what is to be pulled", "Name fields that it shows."
        )


def _withdraw(proposed: Proposed) -> None:
    if _version(proposed).state == "withdrawn":
        proposed.refuse("already_withdrawn", "the version is withdrawn", "Nothing is to be done.")


def _confirm(proposed: Proposed) -> None:
    if _version(proposed).state != "suspended":
        proposed.refuse("not_suspended", "the version is not suspended", "Withdraw it or pull a field first.")


def _restore(proposed: Proposed) -> None:
    pulled = active_pulls([one.decision for one in proposed.taken()])
    fields = proposed.decision.fields
    if not fields or not pulled.issuperset(fields):
        proposed.refuse("not_pulled", "a field that is named was not pulled", "See `channelsafe review show`.")


def _refuse_while_held(proposed: Proposed) -> None:
    if active_holds([(one.row.decision_digest, one.decision) for one in proposed.taken()]):
        proposed.refuse("on_hold_by_people", "a hold stops every release to this bridge", "Have it lifted first.")


def _reaffirm(proposed: Proposed) -> None:
    _refuse_while_held(proposed)
    version = _version(proposed)
    if version.state != "released" or version.candidate_id is None:
        proposed.refuse("not_current", "only the current page can be reaffirmed", "See `channelsafe history`.")
    (told,) = told_versions(proposed.transaction, [version])
    fields = proposed.decision.fields
    if not fields or any(pointer not in told.shown for pointer in fields):
        proposed.refuse("field_not_shown", "a field that is named is not shown", "Name fields that it shows.")


def _acknowledge(proposed: Proposed) -> None:
    _refuse_while_held(proposed)
    require_incident(proposed.transaction, proposed.decision.incident)
    if proposed.versions():
        proposed.refuse(
            "bridge_was_told", "the bridge was told something already", "The acknowledgement is a first text."
        )


def _profile(proposed: Proposed) -> None:
    proposal = find_proposal(proposed.transaction, proposed.decision.refers_to)
    if proposal is None:
        proposed.refuse("no_such_proposal", "no such profile was proposed", "See `channelsafe profile show`.")
    if proposal.proposer == proposed.person:
        proposed.refuse("own_proposal", "nobody approves what they proposed (R2)", "Have someone else approve it.")


_CHECKS: Final[Mapping[Act, Callable[[Proposed], None]]] = {
    Act.APPROVE: _approve,
    Act.REJECT: _reject,
    Act.HOLD: _hold,
    Act.LIFT: _lift,
    Act.PULL: _pull,
    Act.WITHDRAW: _withdraw,
    Act.CONFIRM: _confirm,
    Act.RESTORE: _restore,
    Act.REAFFIRM: _reaffirm,
    Act.ACKNOWLEDGE: _acknowledge,
    Act.APPROVE_PROFILE: _profile,
    Act.REJECT_PROFILE: _profile,
}
