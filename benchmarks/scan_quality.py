"""How much the scanner finds and how much it finds wrongly, by type.

Run with ``python -m benchmarks.scan_quality --labelled FILE --page docs/scanning_quality.md``. A label is found if a
finding of its type overlaps it; a finding is right if it overlaps a label of its type. Labelled texts are scored on
their own `scope` only: no label outside it means nothing. Generated texts are scored on all types at once.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.scan_formats import SEED, generated_cases
from benchmarks.scan_quality_page import page
from dagster_project.application.scanning import scanner_of
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.shipped import shipped_rules


class Score(NamedTuple):
    """What was found of one type."""

    labels: int = 0
    found: int = 0
    findings: int = 0
    right: int = 0
    exact: int = 0

    @property
    def recall(self) -> float:
        """Share of the labels that were found."""
        return self.found / self.labels if self.labels else 1.0

    @property
    def precision(self) -> float:
        """Share of the findings that were right."""
        return self.right / self.findings if self.findings else 1.0


_KINDS: Final = ("labels", "found", "findings", "right", "exact")


@cache
def _scanner() -> Scanner:
    return scanner_of(shipped_rules(), key=b"benchmark" * 4)


def _overlap(one: Any, other: Any) -> bool:  # noqa: ANN401 - labels and findings alike
    return bool(one[0] == other[0] and one[1] < other[2] and other[1] < one[2])


def score(cases: Iterable[dict[str, Any]], *, misses: list[str]) -> dict[str, Score]:
    """Return scores by type; `misses` gets a line for each text with something missed or wrong."""
    scanner = _scanner()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        text = case.get("text") or "".join(case["text_parts"])
        scope = {one.partition(":")[0] for one in case["scope"]}
        findings = [(one.type, one.start, one.end, one.rule) for one in scanner.scan(text) if one.type in scope]
        labels = [(one["type"], one["start"], one["end"]) for one in case["entities"] if one["type"] in scope]
        found = [one for one in labels if any(_overlap(one, other) for other in findings)]
        wrong = [one for one in findings if not any(_overlap(one, other) for other in labels)]
        for kind in scope:
            counts[kind]["labels"] += 0
        for label in labels:
            counts[label[0]].update(labels=1, found=label in found, exact=label in {one[:3] for one in findings})
        for finding in findings:
            counts[finding[0]].update(findings=1, right=finding not in wrong)
        if wrong or len(found) < len(labels):
            missed = [one for one in labels if one not in found]
            misses.append(f"{case.get('id')} {case['scope'][0]} missed={missed} wrong={wrong} {text[:200]!r}")
    return {kind: Score(*(counts[kind][one] for one in _KINDS)) for kind in sorted(counts)}


def _print(title: str, scores: dict[str, Score]) -> None:
    print(f"\n{title}\n{'type':28}{'labels':>8}{'recall':>9}{'findings':>10}{'precision':>11}{'exact':>8}")
    for kind, one in scores.items():
        print(f"{kind:28}{one.labels:8}{one.recall:9.3f}{one.findings:10}{one.precision:11.3f}{one.exact:8}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Score and print, and write the page of the documentation where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelled", type=Path, help="labelled texts, as JSON")
    parser.add_argument("--page", type=Path, help="where to write the page of the documentation")
    parser.add_argument("--misses", type=Path, help="where to write what was missed or wrong; it holds the texts")
    asked = parser.parse_args(arguments)
    misses: list[str] = []
    labelled: dict[str, Score] = {}
    if asked.labelled:
        labelled = score(json.loads(asked.labelled.read_text("utf-8")), misses=misses)
        _print("labelled texts, each in its scope", labelled)
    made = score(generated_cases(), misses=misses)
    _print(f"generated, seed {SEED}", made)
    if asked.misses:
        asked.misses.write_text("\n".join(misses), encoding="utf-8")
    if asked.page:
        asked.page.write_text(page(labelled, made, looked_for={one.type for one in shipped_rules()}), encoding="utf-8")


if __name__ == "__main__":
    main()
