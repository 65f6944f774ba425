"""What two plays of the harness may differ in is taken out of what they said, and nothing else is."""

import pytest

from tests.harness.real_thing import Came, normalised

MAY_DIFFER = [
    # As many digits behind the point as a digest has letters, as few as an id begins with, and a power of ten.
    ('{"duration_ms": 12.345678901234567}', '{"duration_ms": 3.5}'),
    ('{"duration_ms": 12.34567890}', '{"duration_ms": 7}'),
    ('{"duration_ms": 5.1e-05}', '{"duration_ms": 0.2}'),
    ('{"timestamp": 1787898062.1234567}', '{"timestamp": 1787898062.25}'),
    ("finished in 12m3.5s", "finished in 71ms"),
    ("run 0f8fad5b-d9cb-469f-a165-70867728950e", "run 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
]
MAY_NOT_DIFFER = [
    (
        "harbourline: ines approve (/incident_status)",
        "harbourline: ines approve (1 change that no version carried out)",
    ),
    ("severity_1", "severity_2"),
    ("12 values were withheld", "13 values were withheld"),
    ("held: 3", "held: 4"),
]


@pytest.mark.parametrize(("one", "other"), MAY_DIFFER)
def test_clocks_durations_and_random_ids_are_taken_out(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("one", "other"), MAY_NOT_DIFFER)
def test_what_is_said_is_left_in(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_where_two_plays_first_differ_is_named() -> None:
    one, other = (Came({}, {}, {"history": f"as before\n{word} approve"}) for word in ("ines", "sam"))
    assert one.first_difference(other) == "'ines approve' and 'sam approve'"
    assert one.first_difference(one) == "files alone"
