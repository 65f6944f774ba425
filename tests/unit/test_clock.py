"""Instants are read exactly, or refused by an error of ours."""

import pytest

from dagster_project.clock import format_instant, parse_instant
from dagster_project.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "2016-12-31T23:59:60Z",
        "2026-03-04T10:00:00-00:00",
        "2026-03-04T10:00:00.000",
        "2026-03-04 10:00:00Z",
        "",
    ],
)
def test_what_is_no_instant_of_the_calendar_with_a_known_offset_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_instant(text)
    assert raised.value.code == "instant_unreadable"


def test_an_instant_comes_out_in_utc_as_it_went_in() -> None:
    assert format_instant(parse_instant("2026-03-04T10:00:00+01:00")) == "2026-03-04T09:00:00Z"
