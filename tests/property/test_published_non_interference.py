"""Invariant I1 over everything that is published: nothing of one bridge changes a byte, a count or an instant of ours.

Two plays start from the same keys. Our acts, the clock at them, and the deployment's own rounds are the same in both.
What differs is what people do at the other bridge, records of its account, and values that must not show to us
(`tests.support.line_variations` says which, by a second reading of the invariant's premises). The whole folder of our
package must be equal then: paths, bytes and number of files, statements, every index, tombstones, hidden files too.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from dagster_project.application import issuing
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.publication import NEWEST_INDEX
from dagster_project.store.release_tables import package_indexes
from dagster_project.store.transaction import Transaction
from dagster_project.store.versions import IndexRow, released_bridges
from tests.support.histories import FULL
from tests.support.line_variations import vary_lines
from tests.support.mutations import seeded
from tests.support.review_people import PEOPLE
from tests.support.two_bridges import ACTS, STEPS, THEIRS, Played, TheirAct, Variation, play

LIVELY: Final = Variation(
    acts=[
        TheirAct(1, "acknowledge", "ines"),
        TheirAct(2, "release what all approved", "ines"),
        TheirAct(4, "reject", "sam"),
        TheirAct(5, "release what all approved", "ines"),
        TheirAct(5, "reaffirm", "sam"),
        TheirAct(6, "hold", "leo"),
        TheirAct(7, "pull", "selma"),
        TheirAct(8, "lift", "leo"),
        TheirAct(9, "restore", "ines"),
        TheirAct(9, "release what all approved", "ines"),
        TheirAct(10, "withdraw", "ada"),
        TheirAct(11, "confirm", "ines"),
    ]
)
THEIR_DOINGS: Final = st.lists(
    st.builds(
        TheirAct, step=st.integers(1, STEPS), name=st.sampled_from(sorted(ACTS)), person=st.sampled_from(sorted(PEOPLE))
    ),
    max_size=25,
)
SEEN: Counter[str] = Counter()


@cache
def plain() -> Played:
    return play(Variation())


def differing(one: Played, other: Played) -> list[str]:
    """Return the paths in our folder at which two plays differ."""
    return sorted(path for path in one.ours.keys() | other.ours if one.ours.get(path) != other.ours.get(path))


@settings(
    max_examples=60 if FULL else 3,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # A play takes seconds: what was found is as good a story as the smallest one.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@example(acts=list(LIVELY.acts), seed=0, lines=0)
@given(acts=THEIR_DOINGS, seed=st.integers(0, 2**32), lines=st.integers(6, 14))
def check_any_variation(acts: list[TheirAct], seed: int, lines: int) -> None:
    variation = vary_lines(Variation(acts=acts), seeded(str(seed)), many=lines)
    other = play(variation)
    SEEN.update({name: number for name, number in other.taken.items() if name.endswith(THEIRS)})
    SEEN.update({"plays": 1, "files of theirs": len(other.theirs), "lines exchanged": len(variation.exchanged)})
    SEEN["lines added"] += sum(map(len, variation.added.values()))
    assert differing(plain(), other) == []


def test_nothing_that_happens_at_one_bridge_shows_in_the_folder_of_another(announce: Callable[[str], None]) -> None:
    check_any_variation()
    announce(f"I1 over the published folder of {len(plain().ours)} files: {dict(sorted(SEEN.items()))}")
    done = {f"{one.name} at {THEIRS}" for one in LIVELY.acts}
    assert done <= SEEN.keys(), "too little happened at the other bridge to say anything"
    assert SEEN["lines exchanged"] > SEEN["plays"]


def test_our_folder_holds_all_that_a_folder_can_hold() -> None:
    """Else its staying the same would say little: many versions, tombstones, an index for each act and each hour."""
    paths = plain().ours
    assert {path.partition("/")[0] for path in paths} >= {"tombstones", "index", NEWEST_INDEX, "v000005"}
    assert not plain().theirs


def all_are_signed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign the index of every bridge of an incident whenever one changes."""
    sign = issuing.sign_index

    def sign_all(workspace: Workspace, transaction: Transaction, incident: str, _bridge: str, at: datetime) -> None:
        for bridge in released_bridges(transaction, incident):
            sign(workspace, transaction, incident, bridge, at)

    monkeypatch.setattr(issuing, "sign_index", sign_all)


def instants_tell_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the instant of an index depend on how many there are of any bridge."""
    sign = issuing.sign_index

    def sign_later(
        workspace: Workspace, transaction: Transaction, incident: str, bridge: str, at: datetime
    ) -> IndexRow:
        number = transaction.connection.execute(sa.select(sa.func.count()).select_from(package_indexes)).scalar_one()
        return sign(workspace, transaction, incident, bridge, at + timedelta(seconds=number))

    monkeypatch.setattr(issuing, "sign_index", sign_later)


@pytest.mark.parametrize("leak", [all_are_signed_again, instants_tell_of_all])
def test_a_folder_that_tells_of_another_bridge_is_found_out(
    leak: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    leak(monkeypatch)
    assert differing(play(Variation(), until=4), play(LIVELY, until=4))
