"""Reporting: what Dagster may show of a refresh. Counts, statuses, rule ids, pointers and keyed digests only.

Belongs here: the summaries that assets and checks attach as metadata, and the pending changes that the sensor asks
runs for. No record content and no plain digest of restricted content leaves through here (invariant I9).
"""

from dataclasses import dataclass

from dagster_project.application.analytics_position import position_of, read_seal
from dagster_project.application.candidates import current_refresh
from dagster_project.application.checks import CheckedCandidate
from dagster_project.application.contexts import lineage_of_row
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.digests import digest_of, keyed_digest
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.release_rules import RELEASE_RULES
from dagster_project.store import incidents
from dagster_project.store.records import last_sequence
from dagster_project.store.refreshes import candidates_of_refresh

# A candidate whose rules could not be judged, or whose validity has ended, fails this one.
VALIDITY_RULE = "validity"


@dataclass(frozen=True)
class PendingChange:
    """An incident whose records moved, up to which revision, and whether it goes before others."""

    incident: str
    revision: int
    urgent: bool


@dataclass(frozen=True)
class RuleResult:
    """One release rule over all bridges of an incident: how many candidates it failed, where, and with which codes."""

    rule: str
    passed: bool
    bridges_checked: int
    codes: tuple[str, ...]
    bridges: tuple[str, ...]
    pointers: tuple[str, ...]


@dataclass(frozen=True)
class LineageSummary:
    """How much lineage the latest candidates carry: leaves, cited inputs, leaves on hold."""

    bridges: int
    leaves: int
    inputs: int
    holds: int
    shown_digest: str


def release_rules() -> dict[str, str]:
    """Return what each release rule demands, by name, in order; each is one asset check."""
    demands = {rule.__name__: (rule.__doc__ or "").partition("\n")[0] for rule in RELEASE_RULES}
    return demands | {VALIDITY_RULE: "The release check has an end, and that end lies ahead."}


def shown_digest(workspace: Workspace, *digests: str) -> str:
    """Return one keyed digest that stands for `digests` wherever restricted content may not be named."""
    return keyed_digest(workspace.store.keys.digest, digest_of(list(digests)).encode())


def rule_results(checked: tuple[CheckedCandidate, ...]) -> tuple[RuleResult, ...]:
    """Return the result of every release rule over the candidates of one incident."""
    return tuple(_result(rule, checked) for rule in release_rules())


def _result(rule: str, checked: tuple[CheckedCandidate, ...]) -> RuleResult:
    found = [(one, reason) for one in checked for reason in one.check.reasons if reason.rule == rule]
    expired = [one for one in checked if rule == VALIDITY_RULE and one.check.passed and one.manifest_digest is None]
    return RuleResult(
        rule=rule,
        passed=bool(checked) and not found and not expired,
        bridges_checked=len(checked),
        codes=tuple(sorted({reason.code for _one, reason in found} | {"expired" for _one in expired})),
        bridges=tuple(sorted({one.row.bridge for one, _reason in found} | {one.row.bridge for one in expired})),
        pointers=tuple(sorted({pointer for _one, reason in found for pointer in reason.pointers})),
    )


def lineage_summary(workspace: Workspace, incident: str) -> LineageSummary:
    """Return how much lineage the candidates of the latest refresh carry."""
    with workspace.store.read() as transaction:
        rows = candidates_of_refresh(transaction, current_refresh(transaction, incident))
        lineages = [lineage_of_row(transaction, row) for row in rows]
    return LineageSummary(
        bridges=len(rows),
        leaves=sum(len(one.groups) for one in lineages),
        inputs=sum(len(group.draft.inputs) for one in lineages for group in one.groups),
        holds=sum(1 for one in lineages for group in one.groups if group.hold is not None),
        shown_digest=shown_digest(workspace, *(row.lineage_digest for row in rows)),
    )


def pending_changes(workspace: Workspace, *, limit: int) -> tuple[PendingChange, ...]:
    """Return up to `limit` pending changes, the most urgent first."""
    with workspace.store.read() as transaction:
        rows = incidents.pending_incidents(transaction, limit=limit)
    return tuple(PendingChange(incident=row.incident, revision=row.revision, urgent=row.urgent) for row in rows)


def log_position(workspace: Workspace) -> int:
    """Return the sequence of the newest record in the log."""
    with workspace.store.read() as transaction:
        return last_sequence(transaction)


def unpublished_position(workspace: Workspace) -> str | None:
    """Return the digest of the position that the analysts' files have not reached, or None where they have.

    Files that are missing, or are not what was published, have reached none.
    """
    with workspace.store.read() as transaction:
        position = position_of(transaction)
    seal = read_seal(workspace.settings.published_analytics, workspace.store.keys.digest)
    return None if seal is not None and seal.position == position else digest_of(document_of(position))
