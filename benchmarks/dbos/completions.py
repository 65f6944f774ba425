"""The baseline of `benchmarks.closure`: the five steps of a completion as steps of DBOS workflows.

Belongs here: what runs in the environment of `requirements.lock`, by that environment's Python, with the root of the
project on its path: DBOS is no dependency of the project. The targets are the very ones that the worker writes to.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Engine

from dagster_project.closure.disposition import Disposition
from dagster_project.closure.plan import Plan, idempotency_key, make_plan
from dagster_project.closure.states import Direction
from dagster_project.closure.targets import SubjectState, Target, TargetRequest
from dagster_project.connections.targets.sql import SqlArchive, SqlCaseReviewSystem, sql_targets
from dagster_project.connections.targets.support_systems import open_support_systems
from dagster_project.integrity.documents import document_of

Document = dict[str, Any]
WARMING: Final = 3
_FENCE: Final = 1  # DBOS has none


class Completions:
    """The steps of a completion, and the systems in which they have their effects."""

    def __init__(self, support: Engine) -> None:
        self._case_review, self._archive = SqlCaseReviewSystem(support), SqlArchive(support)
        self._targets: Mapping[str, Target] = sql_targets(support)

    def write(self, document: Document, name: str) -> str:
        """Have the effect and nothing else."""
        return self._apply(_plan_of(document), name, None)

    def look_and_write(self, document: Document, name: str) -> str:
        """Read the authority, the archive and the subject, have the effect, and read it back, as the worker does."""
        plan = _plan_of(document)
        pinned, step = plan.disposition, plan.step(name)
        target = self._targets[step.target]
        references = (pinned.closure_packet, pinned.internal_review_note)
        archived = [self._archive.digest_of(one.reference) for one in references]
        if self._case_review.read(pinned.case) != pinned or archived != [one.digest for one in references]:
            raise RuntimeError("the authority says something else")
        receipt = self._apply(plan, name, target.read(step.subject))
        shown = target.read(step.subject)
        if shown is None or any(shown.values[field] != value for field, value in step.values.items()):
            raise RuntimeError("the target shows something else")
        return receipt

    def _apply(self, plan: Plan, name: str, seen: SubjectState | None) -> str:
        step = plan.step(name)
        request = TargetRequest(
            key=idempotency_key(plan, name, Direction.APPLY),
            subject=step.subject,
            values=step.values,
            expected_version=None if seen is None else seen.version,
            fence=_FENCE,
        )
        return self._targets[step.target].apply(request).reference


def _plan_of(document: Document) -> Plan:
    return make_plan("case-review", f"evt-{document['case']}", msgspec.convert(document, Disposition))


def _workflow(dbos: Any, step: Callable[[Document, str], str]) -> Callable[[Document], list[str]]:  # noqa: ANN401
    """Return a workflow of all steps, each a step of DBOS. It takes plain functions only."""

    def complete_step(document: Document, name: str) -> str:
        return step(document, name)

    recorded: Callable[[Document, str], str] = dbos.step()(complete_step)

    def complete(document: Document) -> list[str]:
        return [recorded(document, one.name) for one in _plan_of(document).steps]

    found: Callable[[Document], list[str]] = dbos.workflow()(complete)
    return found


def _measured(workflow: Callable[[Document], object], documents: Sequence[Document]) -> tuple[float, float]:
    """Complete one after another; return seconds and seconds of CPU. A second delivery of an event begins nothing."""
    identified = importlib.import_module("dbos").SetWorkflowID
    started, used = time.perf_counter(), time.process_time()
    for document in documents:
        with identified(f"case-review/evt-{document['case']}"):
            workflow(document)
    return time.perf_counter() - started, time.process_time() - used


def main() -> None:
    """Complete the cases that are named on the standard input, and print what it took as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system-database", required=True, help="where DBOS keeps its workflows")
    parser.add_argument("--support-systems", required=True, help="the database of the targets")
    parser.add_argument("--looking", choices=["writes", "reads"], required=True, help="what a step does")
    chosen = parser.parse_args()
    support = open_support_systems(chosen.support_systems)
    dbos: Any = importlib.import_module("dbos").DBOS
    dbos(config={"name": "closure", "system_database_url": chosen.system_database, "log_level": "ERROR"})
    completions = Completions(support)
    workflow = _workflow(dbos, {"writes": completions.write, "reads": completions.look_and_write}[chosen.looking])
    dbos.launch()
    review = SqlCaseReviewSystem(support)
    documents = [document_of(review.read(case)) for case in json.load(sys.stdin)]
    _measured(workflow, documents[:WARMING])
    seconds, cpu = _measured(workflow, documents[WARMING:])
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu}) + "\n")
    sys.stdout.flush()
    dbos.destroy()
    support.dispose()


if __name__ == "__main__":
    main()
