"""People who review, with their keys, and what they do: as the command line does it, through the application."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from dagster_project.application.deciding import Accepted, decide
from dagster_project.application.demo_trust import make_demo_trust
from dagster_project.application.drafting_decisions import Reviewer, draft_act, draft_approval, draft_rejection
from dagster_project.application.profile_approval import propose_profile
from dagster_project.application.profiles import shipped_profile
from dagster_project.application.trust import adopt, latest_trust
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.signatures import SigningKey
from dagster_project.integrity.trust import Trust
from dagster_project.integrity.trust_changes import next_version
from dagster_project.integrity.trust_succession import sign_trust
from dagster_project.review.decisions import Act

PEOPLE: Mapping[str, tuple[str, ...]] = {
    "ines": ("incident_command",),
    "sam": ("support_leadership",),
    "ada": ("account_leadership",),
    "selma": ("security",),
    "leo": ("legal",),
    "ivan": ("incident_command",),
}


@dataclass(frozen=True)
class Bench:
    """A workspace in which people are trusted, and what they do in it."""

    workspace: Workspace
    keys: Mapping[str, SigningKey]

    def act(self, person: str, act: Act, incident: str = "", bridge: str = "", **parts: object) -> Accepted:
        """Take any decision of a person."""
        decision = draft_act(self.workspace, act, incident, bridge, **parts)  # type: ignore[arg-type] # passed through
        return decide(self.workspace, decision, self.keys[person])

    def approve(self, person: str, incident: str, bridge: str, pointers: Collection[str] | None = None) -> Accepted:
        """Approve changes, all that the person is asked for unless some are named, and the page that then leaves."""
        reviewer = Reviewer(person, self.keys[person])
        decision = draft_approval(self.workspace, incident, bridge, reviewer, pointers=pointers)
        return decide(self.workspace, decision, reviewer.key)

    def reject(self, person: str, incident: str, bridge: str, pointers: Collection[str]) -> Accepted:
        """Reject changes."""
        decision = draft_rejection(self.workspace, incident, bridge, pointers, "not so")
        return decide(self.workspace, decision, self.keys[person])

    def change_trust(self, change: Callable[[Trust], Trust], *signers: str) -> None:
        """Adopt the next version of trust, changed, signed by custodians."""
        with self.workspace.store.begin() as transaction:
            old = latest_trust(transaction, self.workspace)
            following = change(next_version(old, expires=None, threshold=None))
            signed = sign_trust(following, [self.keys[one] for one in signers or ("sam", "ada")])
            adopt(self.workspace, transaction, signed, old)


def make_bench(workspace: Workspace, *profiles: str, people: Mapping[str, tuple[str, ...]] = PEOPLE) -> Bench:
    """Let people be trusted in a workspace, and put shipped profiles in force, the customer bridge's by default."""
    bench = Bench(workspace, make_demo_trust(workspace, people, demo=False))
    for name in profiles or ("customer_bridge",):
        digest = propose_profile(workspace, shipped_profile(name), proposer="ada")
        for person in ("ines", "sam", "selma", "leo"):
            bench.act(person, Act.APPROVE_PROFILE, refers_to=digest)
    return bench
