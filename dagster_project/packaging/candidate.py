"""The candidate: rendered content for one bridge, with everything that explains it.

Belongs here: the one function that makes a candidate from pinned inputs. Refresh, replay and verification all call
it, so that what is stored and what is rebuilt cannot drift apart (invariant I6).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging.annexes import annex_bytes, annexes_of, withheld_counts
from dagster_project.packaging.context import RenderingContext
from dagster_project.packaging.delta import Predecessor, delta_document, delta_of
from dagster_project.packaging.lineage import Lineage, lineage_bytes, lineage_of
from dagster_project.packaging.open_items import OpenItem, open_items_of
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.packaging.views import views_of


@dataclass(frozen=True)
class Candidate:
    """One bridge's candidate: typed parts for what follows, and the exact bytes of every body to be stored."""

    rendering: Rendering
    lineage: Lineage
    open_items: tuple[OpenItem, ...]
    content_bytes: bytes
    lineage_bytes: bytes
    delta_bytes: bytes
    annex_bytes: bytes
    views: dict[str, bytes]
    withheld: dict[str, int]

    @property
    def as_of(self) -> datetime | None:
        """The greatest recorded time among the records that feed rendered fields."""
        return self.rendering.as_of

    @property
    def content(self) -> dict[str, Any]:
        """The package content."""
        return self.rendering.content


def make_candidate(context: RenderingContext, predecessor: Predecessor | None) -> Candidate:
    """Render one bridge and write down its lineage, delta, annexes, open items and views."""
    rendering = render(context)
    lineage = lineage_of(context, rendering)
    annexes = annexes_of(context)
    return Candidate(
        rendering=rendering,
        lineage=lineage,
        open_items=open_items_of(context, rendering),
        content_bytes=rendering.content_bytes,
        lineage_bytes=lineage_bytes(lineage),
        delta_bytes=canonical_bytes(delta_document(delta_of(context, rendering, predecessor))),
        annex_bytes=annex_bytes(annexes),
        views=views_of(rendering.content),
        withheld=withheld_counts(annexes),
    )
