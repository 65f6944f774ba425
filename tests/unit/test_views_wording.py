"""The wording of the views covers the vocabulary, and says nothing that a package must not say."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from dagster_project.errors import UnsafeOrRejected
from dagster_project.packaging import view_wording as words
from dagster_project.packaging import vocabulary
from dagster_project.packaging.content_schema import schema_violations
from dagster_project.packaging.views import views_of
from tests.support.package_content import example_content

TABLES: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "CAPABILITY_STATUSES": (vocabulary.CAPABILITY_STATUSES, words.CAPABILITY_STATUS_LABELS),
    "INCIDENT_STATUSES": (vocabulary.INCIDENT_STATUSES, words.INCIDENT_STATUS_LABELS),
    "incident status sentences": (vocabulary.INCIDENT_STATUSES, words.INCIDENT_STATUS_SENTENCES),
    "SEVERITY_CODES": (vocabulary.SEVERITY_CODES, words.SEVERITY_LABELS),
    "READINESS_CODES": (vocabulary.READINESS_CODES, words.READINESS_LABELS),
    "CHECKPOINTS": (vocabulary.CHECKPOINTS, words.CHECKPOINT_LABELS),
    "DATA_INTEGRITY": (vocabulary.DATA_INTEGRITY, words.DATA_INTEGRITY_LABELS),
    "SLOT_STATES": (vocabulary.SLOT_STATES, words.SLOT_STATE_LABELS),
    "DOCUMENT_STATUSES": (vocabulary.DOCUMENT_STATUSES, words.DOCUMENT_STATUS_LABELS),
    "LABELS": (vocabulary.LABELS, words.SHARING_LABELS),
    "REVIEW_ROLES": (vocabulary.REVIEW_ROLES, words.REVIEW_ROLE_LABELS),
    "SHIPPED_SLOTS": (vocabulary.SHIPPED_SLOTS, words.SLOT_LABELS),
}
# The parts of the vocabulary that no page shows: field classes steer rendering, the chain orders statuses.
NOT_SHOWN = {"FIELD_CLASSES", "STATUS_CHAIN"}
# Promise, estimate, guess, blame, filler (incident_communication N4, N5, N8, N11).
OVERREACH = re.compile(
    r"\b(soon|shortly|eta|estimat\w*|expect\w*|hope\w*|will|shall|promis\w*|guarantee\w*|within|by then|likely|"
    r"probably|appear\w*|believ\w*|suspect\w*|may be|might|because|due to|caused|fault|blame|sorry|apolog\w*|vendor|"
    r"provider|credit\w*|refund\w*|seriously)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", TABLES)
def test_every_word_of_the_vocabulary_has_a_label(name: str) -> None:
    codes, labels = TABLES[name]
    assert [code for code in codes if not labels.get(code)] == []


def test_every_closed_vocabulary_is_covered_by_a_table() -> None:
    closed = {name for name, value in vars(vocabulary).items() if name.isupper() and isinstance(value, tuple)}
    assert closed - NOT_SHOWN == {name for name in TABLES if name.isupper()}


def test_every_code_with_a_chip_has_a_shape_of_its_own_kind() -> None:
    chips = {*vocabulary.CAPABILITY_STATUSES, *vocabulary.READINESS_CODES}
    assert chips == set(words.ICONS)
    statuses = [words.ICONS[code] for code in vocabulary.CAPABILITY_STATUSES]
    assert len(set(statuses)) == len(statuses)


def test_the_order_of_reading_knows_every_capability_status() -> None:
    assert sorted(words.READING_ORDER) == sorted(vocabulary.CAPABILITY_STATUSES)


def _own_words() -> list[str]:
    texts = [value for name, value in vars(words).items() if name.isupper() and isinstance(value, str)]
    tables = [value for name, value in vars(words).items() if name.endswith(("_LABELS", "_SENTENCES"))]
    return [*texts, *(text for table in tables for text in table.values() if isinstance(text, str))]


def test_no_word_promises_estimates_blames_or_guesses() -> None:
    denied = words.ABOUT.replace("It contains no estimates.", "")  # a denial is no estimate
    texts = [denied if text == words.ABOUT else text for text in _own_words()]
    assert [text for text in texts if OVERREACH.search(text)] == []


def _set(content: dict[str, Any], pointer: str, value: object) -> dict[str, Any]:
    *parents, last = pointer.split("/")[1:]
    place = content
    for name in parents:
        place = place[name]
    place[last] = value
    return content


CODED_FIELDS = [
    "/tlp",
    "/document_status",
    "/severity_code",
    "/incident_status",
    "/affected_capabilities/message-delivery/capability_status",
    "/affected_capabilities/message-delivery/regions/europe",
    "/not_affected/admin-console",
    "/workarounds/k3v9q2m7xa/readiness",
    "/timeline/a81kd02nfz/checkpoint",
    "/held/contract/slot_state",
    "/held/contract/review_role",
]


@pytest.mark.parametrize("pointer", CODED_FIELDS)
@pytest.mark.parametrize("value", ["brownout-at-northgate", 7, ["operational"]])
def test_a_code_without_words_is_refused_and_not_repeated(pointer: str, value: object) -> None:
    with pytest.raises(UnsafeOrRejected) as raised:
        views_of(_set(example_content(), pointer, value))
    assert raised.value.where == pointer
    assert "northgate" not in str(raised.value)


def test_a_data_integrity_code_without_words_is_refused() -> None:
    content = example_content()
    content["statements"]["data-integrity"] = {
        "template": "data_integrity",
        "text": "Data integrity: {data_integrity}.",
        "parameters": {"data_integrity": "mostly_fine"},
    }
    with pytest.raises(UnsafeOrRejected, match="data_integrity"):
        views_of(content)


def test_the_example_is_content_by_the_contract() -> None:
    assert schema_violations(example_content()) == []
