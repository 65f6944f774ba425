"""The reviews of the demo: people with keys who decide as the shipped story says, and what then leaves.

Belongs here: playing `demo.reviews` through the application, and a line of text for each act. It adds no rule.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dagster_project.application.deciding import Accepted, decide
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.drafting_decisions import (
    Reviewer,
    current_version,
    draft_act,
    draft_approval,
    draft_rejection,
    holds_in_force,
    shown_fields,
    versions_of_incident,
)
from dagster_project.application.profile_approval import propose_profile
from dagster_project.application.profiles import shipped_profile
from dagster_project.application.projecting import project
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.demo.reviews import ReviewAct, load_reviews
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.signatures import SigningKey
from dagster_project.review.decisions import Act, Decision
from dagster_project.store.versions import VersionRow


@dataclass(frozen=True)
class DemoReview:
    """The people of the demo with their keys, in its workspace."""

    workspace: Workspace
    incident: str
    keys: Mapping[str, SigningKey]
    seen: dict[str, int]

    def left_by_policy(self) -> Iterator[str]:
        """Yield a line for each version that nobody had to be asked for since the last time."""
        for row in self._unseen():
            how = _BY_POLICY[row.kind]
            yield f"{row.bridge}: version {row.version} {how}"

    def _unseen(self) -> list[VersionRow]:
        released = versions_of_incident(self.workspace, self.incident)
        new = [row for row in released if row.version > self.seen.get(row.bridge, 0)]
        self.seen.update({row.bridge: row.version for row in new})
        return new

    def after_step(self, number: int) -> Iterator[str]:
        """Play what people do after a step; yield a line for each act."""
        for act in load_reviews().acts.get(number, ()):
            yield self._play(act)
            project(self.workspace)
        self._unseen()

    def _play(self, act: ReviewAct) -> str:
        where = f"{act.bridge}: "
        if act.act == "release":
            try:
                row = release(self.workspace, self.incident, act.bridge)
            except UnsafeOrRejected as refused:
                return f"{where}nothing leaves: {refused.code}"
            return f"{where}version {row.version} is released"
        accepted = decide(self.workspace, _DRAFTS[act.act](self, act), self.keys[act.person])
        made = "" if accepted.version is None else f"; version {accepted.version.version} ({accepted.version.kind})"
        return f"{where}{act.person} decides: {_said(act, accepted)}{made}"


def _said(act: ReviewAct, accepted: Accepted) -> str:
    about = f" {', '.join(act.fields)}" if act.fields else ""
    return f"{accepted.act}{about}"


def begin_reviews(workspace: Workspace, incident: str) -> DemoReview:
    """Let the people of the story be trusted, and put its profile in force."""
    reviews = load_reviews()
    review = DemoReview(workspace, incident, make_demo_trust(workspace, reviews.people, demo=True), {})
    profile = shipped_profile(reviews.profile.name.replace("-", "_"))
    digest = propose_profile(workspace, profile, proposer=reviews.profile.proposer)
    for person in reviews.profile.approve:
        decide(workspace, draft_act(workspace, Act.APPROVE_PROFILE, refers_to=digest), review.keys[person])
    return review


def _approve(review: DemoReview, act: ReviewAct) -> Decision:
    reviewer = Reviewer(act.person, review.keys[act.person])
    fields = act.fields or None
    return draft_approval(review.workspace, review.incident, act.bridge, reviewer, pointers=fields)


def _reject(review: DemoReview, act: ReviewAct) -> Decision:
    return draft_rejection(review.workspace, review.incident, act.bridge, act.fields, act.reason)


def _reaffirm(review: DemoReview, act: ReviewAct) -> Decision:
    current = current_version(review.workspace, review.incident, act.bridge)
    fields = shown_fields(review.workspace, current)
    return draft_act(
        review.workspace, Act.REAFFIRM, review.incident, act.bridge, version=current.version, fields=fields
    )


def _pull(review: DemoReview, act: ReviewAct) -> Decision:
    version = current_version(review.workspace, review.incident, act.bridge).version
    return draft_act(
        review.workspace,
        Act.PULL,
        review.incident,
        act.bridge,
        version=version,
        fields=act.fields,
        reason=act.reason,
    )


def _lift(review: DemoReview, act: ReviewAct) -> Decision:
    (held, *_others) = holds_in_force(review.workspace, review.incident, act.bridge)
    return draft_act(
        review.workspace, Act.LIFT, review.incident, act.bridge, refers_to=held.row.decision_digest, role=act.role
    )


def _other(review: DemoReview, act: ReviewAct) -> Decision:
    return draft_act(review.workspace, Act(act.act), review.incident, act.bridge, role=act.role, reason=act.reason)


_BY_POLICY: Final = {
    "pull": "is pulled: its clearance ended",
    "reaffirmation": "says by policy that it is still so",
    "release": "leaves by policy",
}
_DRAFTS: Final[Mapping[str, Callable[[DemoReview, ReviewAct], Decision]]] = {
    "approve": _approve,
    "reject": _reject,
    "reaffirm": _reaffirm,
    "pull": _pull,
    "lift": _lift,
    "hold": _other,
    "acknowledge": _other,
}
