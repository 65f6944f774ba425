"""Annexes: what was withheld at each stage of an incident, by audience; never a value.

Belongs here: naming annexes by codes that say nothing of their content, and listing them. Opening one is
`opening_annexes`. Equal content of one incident and audience has one code, at whatever stage and bridge it lies.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.application.pinned import require_incident
from dagster_project.application.workspace import Workspace
from dagster_project.errors import UsageError
from dagster_project.integrity.digests import digest_bytes, keyed_digest, opaque_code
from dagster_project.integrity.documents import typed_bytes
from dagster_project.packaging.annexes import AnnexEntry, read_annexes, review_roles_by_rule
from dagster_project.store.candidates import CandidateRow, candidates_of, find_candidates
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import released_bridges, versions_of

_CODE_LENGTH = 16


@dataclass(frozen=True)
class StoredAnnex:
    """One audience's annex as it is stored, with who reviews what each rule keeps back."""

    code: str
    digest: str
    audience: str
    entries: tuple[AnnexEntry, ...]
    review_roles: Mapping[str, str]

    @property
    def opens(self) -> frozenset[str]:
        """The roles that may open it: its audience, and who reviews a slot for which it holds something."""
        reviewers = {self.review_roles[one.rule_id] for one in self.entries if one.rule_id in self.review_roles}
        return frozenset({self.audience, *reviewers})


@dataclass(frozen=True)
class ListedAnnex:
    """One annex without its values.

    Args:
        annex: Its code, by which it is opened.
        digest: The keyed digest of its content.
        audience: Whose it is.
        opens: The roles that may open it, or part of it.
        withheld: How many values it holds.
        rules: How many of them each rule keeps back.
        source_fields: How many of them are of each source field.
    """

    annex: str
    digest: str
    audience: str
    opens: tuple[str, ...]
    withheld: int
    rules: dict[str, int]
    source_fields: dict[str, int]


@dataclass(frozen=True)
class AnnexStage:
    """What stayed inside at one stage: ``candidate`` with its ordinal, or ``version`` with its number."""

    incident: str
    bridge: str
    stage: str
    number: int
    at: datetime
    annexes: tuple[ListedAnnex, ...]


def list_annexes(
    workspace: Workspace, incident: str, *, bridge: str | None = None, version: int | None = None
) -> tuple[AnnexStage, ...]:
    """Return what stayed inside at every candidate, and then at every version, by bridge; or at one version alone.

    Raises:
        UsageError: no such incident, bridge or version.
    """
    with workspace.store.read() as transaction:
        require_incident(transaction, incident)
        shelf = AnnexShelf(workspace, transaction, incident)
        stages = [*_versions(transaction, shelf, incident)]
        if version is None:
            stages = [*_candidates(shelf, candidates_of(transaction, incident)), *stages]
    found = [one for one in stages if bridge in {None, one.bridge} and version in {None, one.number}]
    if not found and (bridge, version) != (None, None):
        raise UsageError(
            "stage_unknown",
            what="there is no such bridge or version",
            where=f"incident {incident}, bridge {bridge or 'any'}, version {version or 'any'}",
            what_to_do=f"See what there is with `channelsafe annex list {incident}`.",
        )
    return tuple(sorted(found, key=lambda one: (one.bridge, one.stage, one.number)))


class AnnexShelf:
    """The annexes of one incident, in one transaction; each body is read once."""

    def __init__(self, workspace: Workspace, transaction: Transaction, incident: str) -> None:
        self._workspace, self._transaction, self._incident = workspace, transaction, incident
        self._known: dict[tuple[str, str], tuple[StoredAnnex, ...]] = {}

    def of(self, row: CandidateRow) -> tuple[StoredAnnex, ...]:
        """Return the annexes of a candidate, by audience.

        Raises:
            IntegrityViolation: they are not what was stored.
        """
        place = (row.annex_digest, row.profile_digest)
        if place not in self._known:
            profile = self._workspace.shelf.tables(self._transaction, row.profile_digest).profile
            annexes = read_annexes(self._transaction.get_sealed(row.annex_digest))
            roles = review_roles_by_rule(profile)
            self._known[place] = tuple(self._stored(name, entries, roles) for name, entries in sorted(annexes.items()))
        return self._known[place]

    def find(self, code: str) -> StoredAnnex | None:
        """Return the annex of this code as the newest candidate holds it that does, or None where none does."""
        rows = sorted(candidates_of(self._transaction, self._incident), key=lambda row: -row.candidate_id)
        return next((annex for row in rows for annex in self.of(row) if annex.code == code), None)

    def _stored(self, audience: str, entries: tuple[AnnexEntry, ...], roles: Mapping[str, str]) -> StoredAnnex:
        body, keys = typed_bytes(entries), self._transaction.keys
        code = opaque_code(
            keys.opaque_codes, "annex", self._incident, audience, digest_bytes(body), length=_CODE_LENGTH
        )
        return StoredAnnex(code, keyed_digest(keys.digest, body), audience, entries, roles)


def _candidates(shelf: AnnexShelf, rows: Sequence[CandidateRow]) -> Iterator[AnnexStage]:
    for row in rows:
        yield _stage(row, "candidate", row.ordinal, row.evaluation_instant, shelf.of(row))


def _versions(transaction: Transaction, shelf: AnnexShelf, incident: str) -> Iterator[AnnexStage]:
    versions = [
        one for bridge in released_bridges(transaction, incident) for one in versions_of(transaction, incident, bridge)
    ]
    rendered = [one.candidate_id for one in versions if one.candidate_id is not None]
    rows = find_candidates(transaction, rendered)
    for one in versions:
        # The acknowledgement says nothing of the incident, so it was made of nothing that could be withheld.
        if one.candidate_id is not None:
            row = rows[one.candidate_id]
            yield _stage(row, "version", one.version, one.issued_at, shelf.of(row))


def _stage(row: CandidateRow, stage: str, number: int, at: datetime, annexes: Collection[StoredAnnex]) -> AnnexStage:
    return AnnexStage(row.incident, row.bridge, stage, number, at, tuple(map(_listed, annexes)))


def _listed(annex: StoredAnnex) -> ListedAnnex:
    return ListedAnnex(
        annex=annex.code,
        digest=annex.digest,
        audience=annex.audience,
        opens=tuple(sorted(annex.opens)),
        withheld=len(annex.entries),
        rules=_counted(one.rule_id for one in annex.entries),
        source_fields=_counted(one.source_field for one in annex.entries),
    )


def _counted(names: Iterator[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
