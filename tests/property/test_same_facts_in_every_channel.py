"""The same facts in every channel: what two channels both show is equal, or one holds it back; none says better.

Channels are the pages of each bridge under the profiles of customer bridge and account team, and the public page.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.application.profiles import shipped_profile
from dagster_project.integrity.canonical import canonical_bytes
from dagster_project.packaging import view_wording as words
from dagster_project.packaging.channels import PUBLIC_PAGE, readers_of
from dagster_project.packaging.context import ProfileTables, RenderingContext
from dagster_project.packaging.fields import pointer_tokens
from dagster_project.packaging.profile import Profile
from dagster_project.packaging.rendering import Rendering, render
from dagster_project.packaging.view_page import clean
from dagster_project.packaging.views import views_of
from tests.support.histories import CODE_KEY, FULL, History, story
from tests.support.shown_words import shown_words
from tests.support.strategies import varied_histories

PROFILES: Mapping[str, Profile] = {
    name: shipped_profile(name) for name in ("customer_bridge", "account_team", "public_page")
}
EXAMPLES = settings(max_examples=1500 if FULL else 60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Open and closed, as slots say it: a slot that is closed says less.
OPENNESS = ("none_declared", "cleared", "in_review", "on_hold")
# What the profile or the bridge decides by itself: whom a page is for, opaque codes, which leaves a slot lists.
OWN = ("/schema", "/channel", "/tlp")
BY_BRIDGE = ("workarounds", "timeline", "statements")


@dataclass(frozen=True)
class Channel:
    """One page as one channel shows it."""

    profile: Profile
    bridge: str
    rendering: Rendering

    @property
    def name(self) -> str:
        return f"{self.profile.name} {self.bridge}"


def channels(history: History, profiles: Mapping[str, Profile] = PROFILES) -> tuple[Channel, ...]:
    """Render every channel of a history."""
    return tuple(
        Channel(profile, facts.bridge, render(context(history, profile, facts)))
        for profile in profiles.values()
        for facts in readers_of(profile.channel, history.snapshot)
    )


def context(history: History, profile: Profile, facts: Any) -> RenderingContext:  # noqa: ANN401 - what readers_of gives
    return RenderingContext(history.snapshot, ProfileTables(profile), facts, history.at, CODE_KEY)


def compared(one: Channel, other: Channel) -> Iterator[tuple[str, Any, Any, bool]]:
    """Yield pointer, both values, and whether one is on hold, of what both pages show."""
    left, right = one.rendering.by_pointer, other.rendering.by_pointer
    for pointer in sorted(left.keys() & right.keys()):
        part, last = pointer_tokens(pointer)[0], pointer_tokens(pointer)[-1]
        apart = one.bridge != other.bridge and part in BY_BRIDGE
        if pointer in OWN or apart or (part == "held" and last == "fields"):
            continue
        held = left[pointer].hold is not None or right[pointer].hold is not None or last == "slot_state"
        yield pointer, left[pointer].value, right[pointer].value, held


def disagreements(pages: tuple[Channel, ...], counts: Counter[str] | None = None) -> list[str]:
    """Return every pointer at which two channels say different things, neither holding it back."""
    found = []
    for one, other in combinations(pages, 2):
        for pointer, left, right, held in compared(one, other):
            if counts is not None:
                counts["equal" if left == right else "on hold in one" if held else "DIFFERENT"] += 1
            if left != right and not held:
                found.append(f"{pointer}: {one.name} {left}, {other.name} {right}")
    return found


def flattery(pages: tuple[Channel, ...]) -> list[str]:
    """Return every place at which a channel says better than another, in value or in where a capability stands."""
    found = []
    for one, other in ((left, right) for left in pages for right in pages if left is not right):
        policy = one.profile.review_policy
        for pointer, left, right, held in compared(one, other):
            kind = one.rendering.by_pointer[pointer].draft.field_class or ""
            if not held and policy.is_better(kind, left, right):
                found.append(f"{pointer}: {one.name} says better than {other.name}")
        found += [f"{name}: unaffected for {one.name}, affected for {other.name}" for name in moved(one, other)]
    return found


def affected(page: Channel) -> list[str]:
    """Return the capabilities that a channel says are affected, whose state it does not hold back."""
    return [
        pointer_tokens(pointer)[1]
        for pointer, field in page.rendering.by_pointer.items()
        if pointer.startswith("/affected_capabilities/")
        and pointer.endswith("/capability_status")
        and field.hold is None
    ]


def moved(one: Channel, other: Channel) -> list[str]:
    """Return the capabilities that one channel says are unaffected and the other affected."""
    return [name for name in affected(other) if name in one.rendering.content["not_affected"]]


def silence(pages: tuple[Channel, ...]) -> list[str]:
    """Return the capabilities that some channel says are affected and the public page does not show as such."""
    (public,) = [one for one in pages if one.profile.channel == PUBLIC_PAGE]
    shown = public.rendering.content["affected_capabilities"]
    return [f"{name}: affected for {one.name}" for one in pages for name in affected(one) if name not in shown]


def openness(pages: tuple[Channel, ...]) -> list[str]:
    """Return the slots of restricted detail that the public page leaves more open than a customer's."""
    (public,) = [one for one in pages if one.profile.channel == PUBLIC_PAGE]
    return [
        f"{slot} for {one.name}"
        for one in pages
        for slot in ("dependency", "exploitability")
        if OPENNESS.index(state_of(public, slot)) < OPENNESS.index(state_of(one, slot))
        and not one.rendering.content["held"][slot]["fields"]
    ]


def state_of(page: Channel, slot: str) -> str:
    return str(page.rendering.content["held"][slot]["slot_state"])


def faults(pages: tuple[Channel, ...]) -> list[str]:
    return [*disagreements(pages), *flattery(pages), *silence(pages), *openness(pages)]


def test_the_channels_agree_at_every_step_of_the_story(announce: Callable[[str], None]) -> None:
    counts: Counter[str] = Counter()
    for history in story():
        pages = channels(history)
        assert len(pages) == 5
        assert faults(pages) == []
        disagreements(pages, counts)
    announce(f"\nthe same facts in five channels, 26 steps: {dict(counts)}")
    assert counts["equal"] > 5000


@EXAMPLES
@given(varied_histories())
def test_the_channels_agree_on_any_history(history: History) -> None:
    assert faults(channels(history)) == []


def test_what_a_customer_and_the_account_team_read_is_the_same_but_for_the_label(
    announce: Callable[[str], None],
) -> None:
    """Where security cleared a name for the one channel alone, the other holds it back; nothing else differs."""
    differing = Counter[str]()
    for history in story():
        pages = {(one.profile.channel, one.bridge): one.rendering.content for one in channels(history)}
        for bridge in ("harbourline", "tidewater"):
            customer, team = pages["customer_bridge", bridge], pages["account_team", bridge]
            parts = {name for name in customer if customer[name] != team[name]} - {"channel", "tlp"}
            differing.update(parts)
    announce(f"\nparts that differ between customer and account team: {dict(differing)}")
    assert set(differing) <= {"statements", "held"}


# ---- each property can fail ------------------------------------------------------------------------------------


def with_codes(**codes: str) -> Mapping[str, Profile]:
    public = PROFILES["public_page"]
    return {**PROFILES, "public_page": msgspec.structs.replace(public, status_codes=public.status_codes | codes)}


@pytest.mark.parametrize(("state", "code"), [("down", "degraded"), ("degraded", "operational"), ("up", "degraded")])
def test_a_channel_with_another_word_for_a_state_is_found(state: str, code: str) -> None:
    found = [one for history in story() for one in faults(channels(history, with_codes(**{state: code})))]
    assert found != []


def test_a_channel_that_leaves_a_capability_out_is_found() -> None:
    public = PROFILES["public_page"]
    fewer = {name: one for name, one in public.capabilities.items() if name != "message-delivery"}
    profiles = {**PROFILES, "public_page": msgspec.structs.replace(public, capabilities=fewer)}
    assert silence(channels(story()[5], profiles)) != []


def test_a_channel_that_says_nothing_is_withheld_is_found() -> None:
    public = PROFILES["public_page"]
    rules = tuple(msgspec.structs.replace(one, slot=None) for one in public.rules)
    profiles = {**PROFILES, "public_page": msgspec.structs.replace(public, rules=rules)}
    assert openness(channels(story()[5], profiles)) != []


# ---- each view of one package ----------------------------------------------------------------------------------

LABELS = (
    *words.CAPABILITY_STATUS_LABELS.values(), *words.INCIDENT_STATUS_LABELS.values(), *words.SEVERITY_LABELS.values(),
    *words.READINESS_LABELS.values(), *words.CHECKPOINT_LABELS.values(), *words.SLOT_STATE_LABELS.values(),
    *words.SHARING_LABELS.values(), words.RECOVERED, words.NOTHING_AFFECTED, words.MORE_ON_HOLD, words.VALUE_ON_HOLD,
    words.TIME_ON_HOLD, words.NO_WORKAROUND, words.NO_STEPS,
)  # fmt: skip


def said_in(shown: str, names: list[str]) -> frozenset[str]:
    """Return which of all labels and names a view says."""
    small = shown.casefold()
    return frozenset(one for one in (*LABELS, *names) if one.casefold() in small)


def assert_views_agree(content: dict[str, Any]) -> None:
    names = [clean(one) for one in content["names"].values()]
    said = {kind: said_in(shown, names) for kind, shown in shown_words(views_of(content)).items()}
    assert said["markdown"] == said["text"]
    assert said["html"] == said["text"]


@settings(EXAMPLES, max_examples=400 if FULL else 15)
@given(varied_histories())
def test_no_view_of_a_package_says_more_or_less_than_another(history: History) -> None:
    for one in channels(history):
        assert_views_agree(one.rendering.content)


@settings(EXAMPLES, max_examples=400 if FULL else 15)
@given(varied_histories(), st.integers(min_value=0, max_value=3))
def test_a_page_depends_on_no_other_channel(history: History, position: int) -> None:
    """Rendering a channel beside others, or alone, gives equal bytes."""
    pages = channels(history)
    one = pages[position % len(pages)]
    alone = channels(replace(history), {one.profile.name: one.profile})
    again = next(page for page in alone if page.bridge == one.bridge)
    assert canonical_bytes(again.rendering.content) == canonical_bytes(one.rendering.content)
