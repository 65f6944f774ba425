"""Invariant I1': every permitted fact, changed alone, changes the package or shows a hold. Nothing is silent.

What a permitted fact is, and when it counts as shown, on hold or dominated by another fact, is
`tests.support.permitted_facts`. Both shares are printed: with and without dominated facts. Each rule of domination
must be needed for at least one fact of the scenario.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from dagster_project.packaging import rendering
from tests.support.histories import FULL, History, story
from tests.support.permitted_facts import DOMINATED, Fact, facts, judge, packages_of


def judgements(histories: tuple[History, ...]) -> Iterator[tuple[Fact, str]]:
    for history in histories:
        packages = packages_of(history)
        for fact in facts(history):
            yield fact, judge(fact, packages[fact.bridge])


def test_every_permitted_fact_is_shown_or_on_hold_or_dominated_by_a_named_rule(
    announce: Callable[[str], None],
) -> None:
    histories = story() if FULL else (*story()[:8:2], *story()[8:22:3], *story()[22:])
    judged = list(judgements(histories))
    counts = Counter(verdict for _fact, verdict in judged)
    dominated = sum(counts[rule.__name__] for rule in DOMINATED)
    visible = counts["shown"] + counts["on hold"]
    rows = [f"{verdict:56}{times:6}" for verdict, times in counts.most_common()]
    share = visible / (len(judged) - dominated)
    shares = f"shown or on hold {visible / len(judged):.1%}; of what is not dominated {share:.1%}"
    announce("\n".join(["", f"I1', {len(judged)} permitted facts", *rows, shares, ""]))
    silent = [
        f"{fact.history.at} {fact.bridge} {fact.record.recordid} {fact.source_field}"
        for fact, verdict in judged
        if verdict == "SILENT"
    ]
    assert silent == []
    assert share >= 0.95
    assert visible / len(judged) >= 0.85
    assert {rule.__name__ for rule in DOMINATED} <= set(counts), "a rule that explains nothing must go"


def test_a_field_that_is_dropped_without_a_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: the renderer forgets the timeline, or a region; the property names the facts that this hides."""
    for forgotten in ("/timeline/", "/severity_code", "/since"):
        monkeypatch.setattr(
            rendering, "DROP_GUARDS", (lambda _context, field, place=forgotten: place in field.pointer,)
        )
        assert "SILENT" in {verdict for _fact, verdict in judgements((story()[6],))}
