"""The reviews of the sample scenario: who decides what after which step (`scenario/reviews.yaml`).

Belongs here: reading them into frozen records. Playing them is `application.demo_reviews`.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec
import yaml


class ProfileProposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The profile that is put in force before the first step: who proposes it, and who approves it."""

    name: str
    proposer: str
    approve: tuple[str, ...]


class ReviewAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One act on a bridge: a person's decision, or a release. `fields` empty means all that the person is asked for."""

    act: str
    bridge: str
    person: str = ""
    fields: tuple[str, ...] = ()
    role: str = ""
    reason: str = ""


class Reviews(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that people do in the story; `acts` by the number of the step that they follow."""

    people: Mapping[str, tuple[str, ...]]
    profile: ProfileProposal
    acts: Mapping[int, tuple[ReviewAct, ...]]


@cache
def load_reviews() -> Reviews:
    """Return the shipped reviews."""
    text = (files("dagster_project.demo") / "scenario" / "reviews.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), Reviews)
