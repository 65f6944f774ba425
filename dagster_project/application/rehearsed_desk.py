"""The rehearsed desk: a `rehearsing.Desk` in memory, where nothing is stored, signed or published.

Belongs here: what each act does to a `RehearsedBridge`: the order in which the use cases `refresh`, `releasing`,
`deciding`, `pulling` and `reaffirming` ask the rules. The rules themselves are in `review` and `packaging`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dagster_project.application.rehearsed_bridge import (
    RehearsedBridge,
    RehearsedCandidate,
    RehearsedDecision,
    RehearsedPage,
    RehearsedVersion,
)
from dagster_project.application.rehearsed_records import RehearsedRecords
from dagster_project.application.rehearsing import BEGINNING, Place
from dagster_project.application.reminders import Answer
from dagster_project.packaging.context import ProfileTables, RenderingContext, SnapshotIndex, bridges_of
from dagster_project.packaging.review_inputs import NOT_ALLOWED, PULLED
from dagster_project.review.coverage import Approval, changes_asked_of
from dagster_project.review.decisions import Act, Decision
from dagster_project.review.history import active_pulls
from dagster_project.review.leaving import NO_PAGE_APPROVAL, roles_asked
from dagster_project.review.pulls import disallowed_leaves, lapsed_leaves, told_leaves, with_pulled
from dagster_project.review.reaffirmation import REAFFIRMATION, due_before_stale, people_may_look, seen_to_be_so

# What stands for the deployment and for whoever pulls without being asked: nothing of it is signed.
_NO_DEPLOYMENT = ""
_AUTOMATIC = "channelsafe"


@dataclass
class RehearsedDesk:
    """Bridges in memory, rendered under one profile.

    `code_key` makes the opaque codes of content; `seen` is told of every candidate.
    """

    records: RehearsedRecords
    tables: ProfileTables
    people: Mapping[str, tuple[str, ...]]
    code_key: bytes
    seen: Callable[[Place, RehearsedCandidate], None]
    bridges: dict[Place, RehearsedBridge] = field(default_factory=dict)
    _now: datetime = BEGINNING

    def set(self, at: datetime) -> None:
        """Let it be this instant."""
        self._now = at

    def take_in(self, events: Sequence[bytes]) -> Mapping[Place, bool]:
        """Admit events and refresh what they move."""
        return {
            place: passed
            for incident in self.records.take_in(events, self._now)
            for place, passed in self._refresh(incident).items()
        }

    def _refresh(self, incident: str) -> dict[Place, bool]:
        known = self.records.known_of(incident)
        snapshot = self.records.snapshot_of(incident, known)
        index = SnapshotIndex(snapshot)
        instant = max([self._now, *(one.recordedtime for one in known)])
        passed = {}
        for facts in bridges_of(snapshot):
            context = RenderingContext(snapshot, self.tables, facts, instant, self.code_key, shared=index)
            place = (incident, facts.bridge)
            candidate = self.bridges.setdefault(place, RehearsedBridge()).add_candidate(context, self._now)
            self.seen(place, candidate)
            passed[place] = candidate.passed
        for place in passed:
            self._pull_what_lapsed(place)
        return passed

    def release(self, place: Place) -> bool:
        """Release what may leave, if anything; tell whether there is a candidate that passed its check at all."""
        bridge = self.bridges[place]
        if not bridge.is_reviewable():
            return False
        page = self._ready(bridge)
        if not page.missing and page.is_news:
            bridge.issue(page.page, bridge.candidates[-1], self._now, kind="release", carried=page.carried)
        return True

    def _ready(self, bridge: RehearsedBridge) -> RehearsedPage:
        """Return the page with all that is covered; or, where nobody signed it whole, with what policy covers."""
        state = bridge.state()
        assert state is not None  # noqa: S101 - asked before
        page = bridge.stage(state, self._now)
        if page.missing != (NO_PAGE_APPROVAL,) or state.told is None:
            return page
        by_policy = bridge.stage_by_policy(state, self._now)
        return by_policy if by_policy.is_news and not by_policy.missing else page

    def asked(self, place: Place) -> frozenset[str]:
        """Return the roles of whom something is asked now."""
        bridge = self.bridges[place]
        state = bridge.state()
        if state is None:
            return frozenset()
        page = bridge.stage(state, self._now)
        waits = page.is_news and page.missing == (NO_PAGE_APPROVAL,)
        return roles_asked(state.changes, state.coverage, page.carried, only_the_page_waits=waits)

    def approve(self, place: Place, person: str) -> None:
        """Let a person approve all that they are asked for, and the page that then leaves."""
        bridge, roles = self.bridges[place], frozenset(self.people[person])
        state = bridge.state()
        assert state is not None  # noqa: S101 - nobody is asked where nothing can be reviewed
        chosen = changes_asked_of(state.changes, state.coverage, person, roles)
        approval = Approval(person, roles, frozenset(one.digest for one in chosen))
        approved = bridge.state(approval)
        assert approved is not None  # noqa: S101 - as above
        page = bridge.stage(approved, self._now)
        self._take(place, person, Act.APPROVE, changes=tuple(sorted(approval.changes)), page=page.page.digest)

    def due(self, place: Place) -> datetime | None:
        """Return from when on the page is to be reaffirmed, or None where none can be."""
        current = self.bridges[place].current()
        return None if current is None else due_before_stale(self.tables.profile.review_policy, current)

    def reminder(self, place: Place) -> Answer | None:
        """Return what answers the reminder that stands now, or None where none does."""
        bridge, due = self.bridges[place], self.due(place)
        if due is None:
            return None
        failed = not bridge.is_reviewable()
        still_so = self._is_still_called_for(bridge)
        if self._now < due and not (failed and not still_so):
            return None
        if self._said_again(bridge) is not None:
            return Answer.POLICY
        if not still_so:
            return Answer.FAILED_CHECK if failed else Answer.DECISION
        may_look = people_may_look(self.tables.profile.review_policy, bridge.versions)
        return Answer.PERSON if may_look else Answer.NEW_RECORD

    def reaffirm(self, place: Place) -> bool:
        """Let policy reaffirm; tell whether it did."""
        bridge, due = self.bridges[place], self.due(place)
        page = None if due is None or self._now < due else self._said_again(bridge)
        if page is None:
            return False
        bridge.issue(page.page, bridge.candidates[-1], self._now, kind=REAFFIRMATION)
        return True

    def _said_again(self, bridge: RehearsedBridge) -> RehearsedPage | None:
        state = bridge.state()
        if state is None:
            return None
        page = bridge.stage_by_policy(state, self._now)
        until = page.page.check.valid_until
        later = until is not None and until > bridge.versions[-1].valid_until
        return page if later and not page.missing and not page.is_news else None

    def _is_still_called_for(self, bridge: RehearsedBridge) -> bool:
        state = bridge.state()
        if state is None:
            return bridge.candidates[-1].page.digest == bridge.versions[-1].candidate.page.digest
        return not bridge.stage_by_policy(state, self._now).is_news

    def look(self, place: Place, person: str) -> bool:
        """Let a person see the page to be still so; tell whether that was accepted."""
        bridge = self.bridges[place]
        last = bridge.current()
        if last is None or not last.page.shown:
            return False
        may_look = people_may_look(self.tables.profile.review_policy, bridge.versions)
        if not may_look or not self._is_still_called_for(bridge):
            return False
        fields = tuple(sorted(last.page.shown))
        page = bridge.page_without(last, seen_to_be_so(last.page.context.review, fields, self._now))
        if not page.check.holds_at(self._now) or (page.check.valid_until or last.valid_until) <= last.valid_until:
            return False
        self._take(place, person, Act.REAFFIRM, version=last.version, fields=fields)
        bridge.issue(page, last.candidate, self._now, kind=REAFFIRMATION)
        return True

    def _pull_what_lapsed(self, place: Place) -> None:
        """Pull what is cleared or allowed no more; nobody is asked."""
        bridge = self.bridges[place]
        current = bridge.current()
        if current is None:
            return
        latest = bridge.candidates[-1].page
        before = told_leaves(current.page.shown, current.page.lineage)
        not_allowed = disallowed_leaves(latest.context, before, latest.lineage)
        lapsed = lapsed_leaves(before, latest.lineage) - not_allowed
        for fields in (lapsed, not_allowed):
            if fields:
                self._take(place, _AUTOMATIC, Act.PULL, version=current.version, fields=tuple(sorted(fields)))
        bridge.move_states()
        if bridge.states[current.version] != "released":
            self._put_in_its_place(bridge, current, not_allowed)

    def _put_in_its_place(
        self, bridge: RehearsedBridge, current: RehearsedVersion, not_allowed: frozenset[str]
    ) -> None:
        """Issue the current version once more without what was taken back, where that passes its check."""
        pulled = active_pulls(one.decision for one in bridge.taken)
        reasons = {one: NOT_ALLOWED if one in not_allowed else PULLED for one in pulled}
        page = bridge.page_without(current, with_pulled(current.page.context.review, reasons))
        if page.check.passed:
            bridge.issue(page, current.candidate, self._now, kind="pull")

    def _take(
        self,
        place: Place,
        person: str,
        act: Act,
        *,
        changes: tuple[str, ...] = (),
        page: str = "",
        version: int = 0,
        fields: tuple[str, ...] = (),
    ) -> None:
        bridge = self.bridges[place]
        decision = Decision(
            deployment=_NO_DEPLOYMENT,
            act=act,
            incident=place[0],
            bridge=place[1],
            candidate=len(bridge.candidates),
            changes=changes,
            page=page,
            version=version,
            fields=fields,
            decided_at=self._now,
        )
        roles = frozenset(self.people.get(person, ()))
        bridge.taken.append(RehearsedDecision(decision, person, roles, self._now))
