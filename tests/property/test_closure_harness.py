"""Closures at reduced counts: every effect once through random kills and outages, and a protocol with a fault shows.

`make prove-closure` does the same at full counts, on PostgreSQL too.
"""

from collections.abc import Callable

import msgspec
import pytest

from dagster_project.application import closing_effects, closing_forward
from dagster_project.closure.targets import TargetRequest
from tests.harness.closures import Counted, run_block
from tests.support.histories import FULL

SIZE = 40 if FULL else 5


@pytest.mark.parametrize("number", [0, 1])
def test_every_effect_is_there_once_whoever_dies_and_whatever_is_down(
    number: int, announce: Callable[[str], None]
) -> None:
    counted = run_block("make test", number, None, size=SIZE)
    assert counted.is_right
    assert counted.expected == counted.applied == 5 * (SIZE + SIZE // 5)
    assert counted.deaths > 0
    announce(f"closures: {counted.story()}; {counted.last_line()}")


def test_a_key_that_changes_with_every_attempt_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_another_key(**members: object) -> TargetRequest:
        request = msgspec.convert(members, TargetRequest)
        return msgspec.structs.replace(request, key=f"{request.key}.{request.fence}")

    monkeypatch.setattr(closing_effects, "TargetRequest", with_another_key)
    monkeypatch.setattr(closing_forward, "settle_by_probe", lambda *_given: None)
    assert not run_block("make test", 0, None, size=SIZE).is_right


def test_what_was_counted_is_right_only_if_nothing_is_lost_twice_or_wrong() -> None:
    assert Counted(expected=5, applied=5).is_right
    faulty = (Counted(expected=5, applied=4, lost=1), Counted(duplicated=1), Counted(wrong=1), Counted(applied=1))
    assert not any(one.is_right for one in faulty)
