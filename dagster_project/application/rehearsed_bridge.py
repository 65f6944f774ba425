"""A rehearsed bridge: its candidates, versions and decisions in memory, and what the rules of review make of them.

Belongs here: what `review_state`, `releasing`, `pulling` and `reaffirming` do on a store, done in memory by the same
functions of `review` and `packaging`. Nothing is stored, signed or published. A test holds it against a real run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from dagster_project.integrity.digests import digest_bytes
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.fields import Field
from dagster_project.packaging.lineage import Lineage, LineageGroup, groups_by_pointer, lineage_of
from dagster_project.packaging.release_check import ReleaseCheck, release_check
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.packaging.review_inputs import NO_REVIEW, ReviewInputs
from dagster_project.review.changes import Change, changes_of
from dagster_project.review.coverage import Approval, Coverage, coverage_of
from dagster_project.review.decisions import Decision
from dagster_project.review.history import Taken, Told, active_pulls, publication_states, shown_leaves
from dagster_project.review.leaving import LeavingPage
from dagster_project.review.pages import ReleasedPage
from dagster_project.review.staging import review_inputs_of
from dagster_project.review.steadiness import LeafIdentity, identity_of, standing_approvals

# The digest that a release check binds itself to as that of stored lineage: here none is stored.
_NOT_STORED = "not-stored"


@dataclass(frozen=True)
class RehearsedDecision:
    """A decision of a simulated person."""

    decision: Decision
    person: str
    roles: frozenset[str]
    received_at: datetime


@dataclass(frozen=True)
class RenderedPage:
    """A page with what stands behind it, and its release check."""

    context: RenderingContext
    rendering: Rendering
    lineage: Lineage
    check: ReleaseCheck

    @cached_property
    def digest(self) -> str:
        """The digest of its content."""
        return digest_bytes(self.rendering.content_bytes)

    @cached_property
    def groups(self) -> Mapping[str, LineageGroup]:
        """The lineage of its leaves by pointer."""
        return groups_by_pointer(self.lineage.groups)

    @cached_property
    def shown(self) -> Mapping[str, str]:
        """The digests of what it shows, by pointer."""
        return shown_leaves(self.rendering.content, self.lineage)


@dataclass(frozen=True)
class RehearsedCandidate:
    """What one refresh rendered; `passed` says that the gate let it through at its instant."""

    ordinal: int
    page: RenderedPage
    passed: bool
    _identities: dict[str, LeafIdentity | None] = field(default_factory=dict)

    @property
    def fields(self) -> Mapping[str, Field]:
        """What the sources call for, by pointer."""
        return self.page.rendering.by_pointer

    def identity(self, pointer: str) -> LeafIdentity | None:
        """Return what a leaf is and rests on, or None where there is no such leaf."""
        if pointer not in self._identities:
            group = self.page.groups.get(pointer)
            self._identities[pointer] = None if group is None else identity_of(self.page.context, group)
        return self._identities[pointer]


@dataclass(frozen=True, kw_only=True)
class RehearsedVersion:
    """A version that would arise.

    `approved` counts the changes that people approved for it, `decisions` by role the decisions that it was the first
    to rest on.
    """

    version: int
    kind: str
    issued_at: datetime
    valid_until: datetime
    reaffirmed_at: datetime | None
    page: RenderedPage
    candidate: RehearsedCandidate
    approved: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RehearsedState:
    """A bridge between what it was told and what the sources call for now."""

    candidate: RehearsedCandidate
    told: ReleasedPage | None
    changes: tuple[Change, ...]
    coverage: Coverage


@dataclass(frozen=True)
class RehearsedPage:
    """The page that may leave, what is missing for it to leave, and the changes that it carries out."""

    page: RenderedPage
    carried: tuple[Change, ...]
    missing: tuple[str, ...]
    is_news: bool


@dataclass
class RehearsedBridge:
    """One bridge of one incident: what was rendered for it, told to it and decided about it, in order."""

    candidates: list[RehearsedCandidate] = field(default_factory=list)
    versions: list[RehearsedVersion] = field(default_factory=list)
    taken: list[RehearsedDecision] = field(default_factory=list)
    states: dict[int, str] = field(default_factory=dict)
    _changes: dict[tuple[int, int], tuple[Change, ...]] = field(default_factory=dict)
    _staged: dict[tuple[int, frozenset[str], frozenset[str]], RenderedPage] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)

    def add_candidate(self, context: RenderingContext, now: datetime) -> RehearsedCandidate:
        """Render and judge what the sources call for at a refresh."""
        page = self._render(context)
        passed = page.check.holds_at(max(now, context.evaluation_instant))
        self.candidates.append(RehearsedCandidate(len(self.candidates) + 1, page, passed))
        self._staged.clear()
        return self.candidates[-1]

    def is_reviewable(self) -> bool:
        """Tell whether the latest candidate passed its release check, without which nothing is reviewed."""
        return bool(self.candidates) and self.candidates[-1].passed

    def current(self) -> RehearsedVersion | None:
        """Return the version that is current, if it is the last one."""
        return self.versions[-1] if self.versions and self.states[self.versions[-1].version] == "released" else None

    def state(self, *also: Approval) -> RehearsedState | None:
        """Return where the page stands, or None where nothing can be reviewed.

        Args:
            also: Approvals that are being given.
        """
        if not self.is_reviewable():
            return None
        latest, told = self.candidates[-1], self._told()
        changes = self._changes_since(latest, told)
        approvals = standing_approvals(self.taken, changes, self._since)
        return RehearsedState(latest, told, changes, coverage_of(changes, [*approvals, *also], ()))

    def stage(self, state: RehearsedState, now: datetime) -> RehearsedPage:
        """Make and check the page that may leave now, and say what it still lacks."""
        carried = tuple(one for one in state.changes if state.coverage.covers(one))
        page = self._staged_page(state, carried)
        leaving = LeavingPage(
            digest=page.digest,
            check=page.check,
            carried=carried,
            taken=self.taken,
            told_before=state.told is not None,
            on_hold=False,
        )
        is_news = not self.versions or self.versions[-1].page.digest != page.digest
        return RehearsedPage(page, carried, tuple(leaving.lacks(at=now, change_pending=False)), is_news)

    def stage_by_policy(self, state: RehearsedState, now: datetime) -> RehearsedPage:
        """Make and check the page that may leave without any approval by people."""
        return self.stage(replace(state, coverage=coverage_of(state.changes, [], ())), now)

    def page_without(self, version: RehearsedVersion, review: ReviewInputs) -> RenderedPage:
        """Render the page of a version once more, with other review inputs."""
        return self._render(replace(version.page.context, review=review))

    def issue(
        self,
        page: RenderedPage,
        candidate: RehearsedCandidate,
        now: datetime,
        *,
        kind: str,
        carried: Sequence[Change] = (),
    ) -> None:
        """Make a page that may leave the next version."""
        until = page.check.valid_until
        assert until is not None  # noqa: S101 - without an end no check has passed, and nothing leaves
        approved = {one.digest for one in carried if not one.standing}
        version = RehearsedVersion(
            version=len(self.versions) + 1,
            kind=kind,
            issued_at=max([now, *(one.issued_at for one in self.versions)]),
            valid_until=until,
            reaffirmed_at=page.context.review.reaffirmed_at,
            page=page,
            candidate=candidate,
            approved=len(approved),
            decisions=self._first_used(approved),
        )
        self.versions.append(version)
        self.move_states()

    def move_states(self) -> None:
        """Bring the states of versions to what follows from decisions."""
        told = [Told(one.version, one.issued_at, one.page.shown) for one in self.versions]
        self.states = publication_states(told, [Taken(one.received_at, one.decision) for one in self.taken])

    def _first_used(self, approved: set[str]) -> dict[str, int]:
        behind = {
            number
            for number, one in enumerate(self.taken)
            if approved & {*one.decision.changes} and number not in self._used
        }
        self._used |= behind
        roles = [role for number in sorted(behind) for role in sorted(self.taken[number].roles)]
        return {role: roles.count(role) for role in sorted({*roles})}

    def _told(self) -> ReleasedPage | None:
        if not self.versions:
            return None
        last = self.versions[-1]
        return ReleasedPage(fields=last.page.rendering.by_pointer, version=last.version)

    def _changes_since(self, latest: RehearsedCandidate, told: ReleasedPage | None) -> tuple[Change, ...]:
        key = (latest.ordinal, 0 if told is None else told.version)
        if key not in self._changes:
            self._changes[key] = changes_of(latest.page.context, latest.fields, told)
        return self._changes[key]

    def _since(self, ordinal: int, pointer: str) -> list[LeafIdentity | None]:
        return [one.identity(pointer) for one in self.candidates[ordinal - 1 :]]

    def _staged_page(self, state: RehearsedState, carried: Iterable[Change]) -> RenderedPage:
        """Stage the latest candidate as it carries out some of its changes; the same ones are staged once."""
        pulled = active_pulls(one.decision for one in self.taken)
        key = (len(self.versions), frozenset(one.digest for one in carried), pulled)
        if key not in self._staged:
            page, coverage = state.candidate.page, state.coverage
            review = review_inputs_of(page.context, state.candidate.fields, state.told, state.changes, coverage, pulled)
            # Where nothing is kept back it is the page that the refresh rendered.
            again = review != NO_REVIEW
            self._staged[key] = self._render(replace(page.context, review=review)) if again else page
        return self._staged[key]

    def _render(self, context: RenderingContext) -> RenderedPage:
        rendering = render(context)
        lineage = lineage_of(context, rendering)
        content: dict[str, Any] = rendering.content
        check = release_check(content, lineage, context, predecessor_digest=None, lineage_digest=_NOT_STORED)
        return RenderedPage(context, rendering, lineage, check)
