"""The release check: passed or failed, over exact bytes, valid until an instant.

Belongs here: putting the checks together, binding the result to what was checked, and its stored form. Each
single check is in `release_rules`. Pure, total, fails closed: whatever cannot be judged has not passed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dagster_project.errors import ChannelsafeError
from dagster_project.integrity.canonical import NotCanonical
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.documents import document_of
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.lineage import Lineage, lineage_bytes
from dagster_project.packaging.release_rules import RELEASE_RULES, Candidate, Reason, ReleaseRule


class ReleaseCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result over one candidate. `reasons` is empty exactly when it passed.

    Bound to the digests of content, snapshot, profile, predecessor and deny list, and to the bridge: it says
    nothing of any other bytes. `evaluated_for` is the evaluation instant; gates compare `valid_until` with theirs.
    """

    bridge: str
    content_digest: str
    snapshot_digest: str
    profile_digest: str
    predecessor_digest: str | None
    deny_list_digest: str
    lineage_digest: str
    evaluated_for: datetime
    valid_until: datetime | None
    reasons: tuple[Reason, ...]

    @property
    def passed(self) -> bool:
        """True only where every check was judged and none found a reason."""
        return not self.reasons and self.valid_until is not None

    def holds_at(self, instant: datetime) -> bool:
        """Tell whether the check passed and is still valid at `instant`."""
        return self.passed and self.valid_until is not None and instant < self.valid_until


NOT_CANONICAL = "not-canonical"


def _digest(candidate: Candidate) -> str:
    """Return the digest of content; of what has no canonical form a word that no stored content's digest equals."""
    try:
        return candidate.content_digest
    except NotCanonical:
        return NOT_CANONICAL


@dataclass(frozen=True)
class _Judgement:
    reasons: tuple[Reason, ...]
    valid_until: datetime | None


# What malformed input makes the rules raise. Anything else is a fault of ours and must surface as one.
_CANNOT_JUDGE = (ChannelsafeError, NotCanonical, LookupError, TypeError, ValueError, AttributeError)


def release_check(
    content: dict[str, Any],
    lineage: Lineage,
    context: RenderingContext,
    *,
    predecessor_digest: str | None,
    lineage_digest: str | None = None,
) -> ReleaseCheck:
    """Check candidate content against everything that it was rendered from (design section 5, layer 1).

    Args:
        content: The exact content; its digest is taken here.
        lineage: The stored lineage of that content.
        context: Snapshot, profile, bridge and evaluation instant.
        predecessor_digest: Content digest of the predecessor on this bridge, or None for the first.
        lineage_digest: The digest of the canonical bytes that `lineage` was read from or written as, where the caller
            has just taken it; else it is taken here.
    """
    candidate = Candidate(content=content, lineage=lineage, context=context)
    judgement = _judge(candidate)
    return ReleaseCheck(
        bridge=context.bridge.bridge,
        content_digest=_digest(candidate),
        snapshot_digest=context.index.digest,
        profile_digest=context.tables.digest,
        predecessor_digest=predecessor_digest,
        deny_list_digest=context.deny_list.digest,
        lineage_digest=lineage_digest or digest_bytes(lineage_bytes(lineage)),
        evaluated_for=context.evaluation_instant,
        valid_until=judgement.valid_until,
        reasons=judgement.reasons,
    )


def _judge(candidate: Candidate) -> _Judgement:
    reasons = [reason for rule in RELEASE_RULES for reason in _apply(rule, candidate)]
    try:
        until = candidate.valid_until
    except _CANNOT_JUDGE:
        until = None
        reasons.append(Reason(rule="validity", code="cannot_be_judged"))
    return _Judgement(tuple(sorted(reasons)), until)


def _apply(rule: ReleaseRule, candidate: Candidate) -> tuple[Reason, ...]:
    try:
        return tuple(rule(candidate))
    except _CANNOT_JUDGE:
        return (Reason(rule=rule.__name__, code="cannot_be_judged"),)


def release_check_document(check: ReleaseCheck) -> dict[str, Any]:
    """Return the canonical form of a release check."""
    document: dict[str, Any] = document_of(check)
    return document | {"passed": check.passed}


def read_release_check(document: dict[str, Any]) -> ReleaseCheck:
    """Read a stored release check back; the stored `passed` is not trusted but derived again."""
    return msgspec.convert({key: value for key, value in document.items() if key != "passed"}, ReleaseCheck)
