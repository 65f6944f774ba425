"""The sample scenario: a hand-written severity-one incident, delivered step by step to two customer bridges.

Belongs here: reading the shipped story (`scenario/scenario.yaml` and its deliveries) into frozen records.
Does not belong here: playing it. Admission, rendering and the clock are the application's; a step only says
which bytes arrive when, and under which profile each bridge is rendered from then on.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, TypeVar

import msgspec
import yaml

from dagster_project.errors import Unavailable

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Form = TypeVar("_Form")


class ScenarioBridge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One customer bridge of the story. `profile` is the name of the profile that it starts with."""

    account: str
    customer: str
    profile: str


class _WrittenStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step as the YAML holds it: the file still a name, the profiles only where they change."""

    at: Instant
    file: str
    title: str
    profile: dict[str, str] = {}


class _WrittenScenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The YAML document."""

    title: str
    incident: str
    profiles: dict[str, str]
    bridges: dict[str, ScenarioBridge]
    steps: tuple[_WrittenStep, ...]


class ScenarioStep(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery: `body` is dropped into the landing folder as `file` at `at`, and evaluated at `at`.

    `profiles` names the profile in force for every bridge at this step, not only where it changes.
    """

    number: int
    at: datetime
    title: str
    file: str
    body: bytes
    profiles: Mapping[str, str]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """The whole story. `profiles` maps each profile name used to its file among the shipped profiles."""

    title: str
    incident: str
    profiles: Mapping[str, str]
    bridges: Mapping[str, ScenarioBridge]
    steps: tuple[ScenarioStep, ...]


class InsideValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """A restricted or internal value of the story and the source field (``type#/pointer``) that holds it."""

    value: str
    where: str


class SharedWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """A value that a restricted source field holds but that is an ordinary word of the product elsewhere.

    Finding it in a package proves nothing, so tests that search for leaks leave it out; `why` says whose word
    it is.
    """

    value: str
    where: str
    why: str


def load_scenario() -> Scenario:
    """Return the shipped scenario, deliveries included.

    Raises:
        Unavailable: a file of the scenario is missing or malformed, so the installation is damaged.
    """
    written = _convert(yaml.safe_load(_read("scenario.yaml")), _WrittenScenario, where="scenario.yaml")
    return Scenario(
        title=written.title,
        incident=written.incident,
        profiles=written.profiles,
        bridges=written.bridges,
        steps=_steps_of(written),
    )


def restricted_values() -> tuple[InsideValue, ...]:
    """Return every restricted or internal value of the story that a leak could be recognised by.

    Raises:
        Unavailable: the list is missing or malformed.
    """
    name = "restricted_values.json"
    return _convert(msgspec.json.decode(_read(name)), tuple[InsideValue, ...], where=name)


def shared_words() -> tuple[SharedWord, ...]:
    """Return the restricted places whose value is an ordinary word, the complement of `restricted_values`.

    Raises:
        Unavailable: the list is missing or malformed.
    """
    name = "shared_words.json"
    return _convert(msgspec.json.decode(_read(name)), tuple[SharedWord, ...], where=name)


def _steps_of(written: _WrittenScenario) -> tuple[ScenarioStep, ...]:
    """Resolve the steps: a profile stays in force on a bridge until a later step names another."""
    in_force = {name: bridge.profile for name, bridge in written.bridges.items()}
    steps: list[ScenarioStep] = []
    for number, step in enumerate(written.steps, start=1):
        in_force = in_force | step.profile
        steps.append(
            ScenarioStep(
                number=number,
                at=step.at,
                title=step.title,
                file=step.file,
                body=_read("deliveries", step.file),
                profiles=in_force,
            )
        )
    return tuple(steps)


def _folder() -> Traversable:
    # The folder holds data only and has no __init__, so this module, not the folder, is `demo.scenario`.
    return files("dagster_project.demo").joinpath("scenario")


def _read(*path: str) -> bytes:
    try:
        return _folder().joinpath(*path).read_bytes()
    except OSError as error:
        raise _damaged("is missing or unreadable", where="/".join(path)) from error


def _convert(document: object, form: type[_Form], *, where: str) -> _Form:
    try:
        return msgspec.convert(document, form, strict=True)
    except msgspec.ValidationError as error:
        raise _damaged(f"is malformed: {error}", where=where) from error


def _damaged(finding: str, *, where: str) -> Unavailable:
    return Unavailable(
        "scenario_damaged",
        what=f"a file of the sample scenario {finding}",
        where=where,
        what_to_do="Install Channelsafe again; the scenario ships with it.",
    )
