"""How good the scanner is on the generated texts, and that the page about it says what is so."""

from pathlib import Path

import pytest

from benchmarks.scan_formats import SEED, generated_cases
from benchmarks.scan_quality import Score, score
from benchmarks.scan_quality_page import page

PAGE = Path(__file__).parents[2] / "docs" / "scanning_quality.md"


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return score(generated_cases(), misses=[])


def test_nearly_everything_is_found_in_unseen_surroundings_and_nearly_nothing_wrongly(scores: dict[str, Score]) -> None:
    assert len(scores) == 9
    assert {kind: one for kind, one in scores.items() if one.recall < 0.98 or one.precision < 0.99} == {}


def test_the_page_has_the_scores_of_the_generated_texts(scores: dict[str, Score]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind, one in scores.items():
        (row,) = (line for line in text.splitlines() if line.startswith(f"| {kind} |"))
        assert row.endswith(f"| {one.labels} | {one.recall:.3f} | {one.precision:.3f} |")


def test_other_seeds_are_found_as_well() -> None:
    scores = score(generated_cases(SEED + 1, per_type=60), misses=[])
    assert min(one.recall for one in scores.values()) > 0.95
    assert min(one.precision for one in scores.values()) > 0.95


def test_a_gap_that_nobody_explained_is_no_page() -> None:
    good, bad = {"IBAN_CODE": Score(10, 10, 10, 10)}, {"IBAN_CODE": Score(10, 9, 9, 9)}
    with pytest.raises(KeyError):
        page(good, bad, looked_for=["IBAN_CODE"])
    assert "| IBAN_CODE | 10 | 1.000 | 1.000 | 10 | 1.000 | 1.000 |" in page(good, good, looked_for=["IBAN_CODE"])


def test_what_is_missed_and_what_is_wrong_both_count() -> None:
    misses: list[str] = []
    label = {"type": "EMAIL_ADDRESS", "start": 0, "end": 5}
    scored = score(
        [
            {"scope": ["EMAIL_ADDRESS"], "text": "nobody", "entities": [label]},
            {"scope": ["EMAIL_ADDRESS"], "text": "x ana@example.org", "entities": []},
            {"scope": ["US_SSN:some"], "text_parts": ["ana@", "example.org"], "entities": [label]},
        ],
        misses=misses,
    )
    assert scored == {"EMAIL_ADDRESS": Score(1, 0, 1, 0), "US_SSN": Score()}
    assert len(misses) == 2
