"""The scanner on labelled texts of other scanners' tests. The texts are read and never kept."""

import json
import os
from pathlib import Path

import pytest

from benchmarks.scan_quality import Score, score
from tests.conftest import leave_out

pytestmark = pytest.mark.real_data

DATA = Path(os.environ.get("CHANNELSAFE_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
LABELLED = DATA / "redaction" / "labelled_texts.json"
PAGE = Path(__file__).parents[2] / "docs" / "scanning_quality.md"
SURE = ("EMAIL_ADDRESS", "IP_ADDRESS", "MAC_ADDRESS", "IBAN_CODE", "CREDIT_CARD", "US_SSN", "PHONE_NUMBER", "CRYPTO")


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    if not LABELLED.exists():
        leave_out("the labelled texts are not there; name their folder with CHANNELSAFE_REAL_DATA")
    return score(json.loads(LABELLED.read_text("utf-8")), misses=[])


def test_nothing_labelled_of_the_types_with_check_digits_and_forms_is_missed_or_wrong(scores: dict[str, Score]) -> None:
    assert {kind: (scores[kind].recall, scores[kind].precision) for kind in SURE} == dict.fromkeys(SURE, (1.0, 1.0))


def test_secrets_are_found_and_what_is_labelled_as_none_is_seldom_called_one(scores: dict[str, Score]) -> None:
    assert scores["SECRET"].recall >= 0.99
    assert scores["SECRET"].precision >= 0.88


def test_the_page_has_the_scores_of_the_labelled_texts(scores: dict[str, Score]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in (*SURE, "SECRET", "IP_PUBLIC"):
        one = scores[kind]
        assert f"\n| {kind} | {one.labels} | {one.recall:.3f} | {one.precision:.3f} |" in text
