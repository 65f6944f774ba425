"""The trust shelf: the adopted versions of trust as they were last verified, kept once per process.

Belongs here: keeping them by the rows that they were read from. A row names its bodies by digest, so equal rows are
equal versions; whatever differs is read and verified again from there on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.integrity.signatures import Envelope
from dagster_project.integrity.trust import Trust
from dagster_project.store.trust import TrustVersionRow


@dataclass(frozen=True)
class AdoptedTrust:
    """One version that was adopted, verified as the successor of the one before it."""

    trust: Trust
    trust_digest: str
    public: Envelope
    adopted_at: datetime


class TrustShelf:
    """The verified chain, by its rows."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[TrustVersionRow, ...], tuple[AdoptedTrust, ...]] = ((), ())

    def chain_of(self, rows: Sequence[TrustVersionRow]) -> tuple[AdoptedTrust, ...]:
        """Return the versions that were verified of the first of these rows, up to the first that differs."""
        kept, chain = self._kept
        same = next((index for index, pair in enumerate(zip(kept, rows, strict=False)) if pair[0] != pair[1]), None)
        return chain[: min(len(kept), len(rows)) if same is None else same]

    def keep(self, rows: Sequence[TrustVersionRow], chain: Sequence[AdoptedTrust]) -> tuple[AdoptedTrust, ...]:
        """Keep the chain that was verified of these rows, and return it."""
        self._kept = (tuple(rows), tuple(chain))
        return self._kept[1]
