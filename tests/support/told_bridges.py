"""A deployment in which two bridges were told something, and what comes next there."""

from typing import Final

from dagster_project.application.drafting_decisions import current_version, draft_act, shown_fields
from dagster_project.application.projecting import project
from dagster_project.application.releasing import release
from dagster_project.application.workspace import Workspace
from dagster_project.review.decisions import Act, sign_decision
from tests.support.review_people import Bench, make_bench
from tests.support.workspaces import play_scenario

INCIDENT: Final = "INC-4711"
BRIDGE: Final = "harbourline"
BRIDGES: Final = (BRIDGE, "tidewater")


def approved(bench: Bench, bridge: str) -> None:
    for person in ("ines", "selma", "ada", "sam"):
        bench.approve(person, INCIDENT, bridge)


def told_both(workspace: Workspace) -> Bench:
    """Release two versions to each of two bridges, and publish them."""
    bench = make_bench(workspace)
    play_scenario(workspace, until_step=2)
    for bridge in BRIDGES:
        bench.act("ines", Act.ACKNOWLEDGE, INCIDENT, bridge)
        approved(bench, bridge)
        release(workspace, INCIDENT, bridge)
    project(workspace)
    return bench


def signed_pull(bench: Bench) -> bytes:
    version = current_version(bench.workspace, INCIDENT, BRIDGE)
    status = [one for one in shown_fields(bench.workspace, version) if one.endswith("capability_status")]
    decision = draft_act(
        bench.workspace, Act.PULL, INCIDENT, BRIDGE, version=version.version, fields=status[:1], reason="not so"
    )
    return sign_decision(decision, bench.keys["leo"])
