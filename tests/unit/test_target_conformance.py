"""Every adapter passes the conformance suite, and a broken one fails the sentence that it breaks."""

from collections.abc import Iterator, Mapping

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dagster_project.closure.targets import (
    SubjectChanged,
    SubjectState,
    Target,
    TargetFailure,
    TargetReceipt,
    TargetRefused,
    TargetRequest,
)
from dagster_project.connections.targets.forms import FORMS, LEDGER
from dagster_project.connections.targets.http import http_targets
from dagster_project.connections.targets.sql import sql_targets
from dagster_project.connections.targets.support_systems import create_support_systems, edit_subject, fences, receipts
from dagster_project.store.engine import writing
from tests.fixtures.postgresql import PostgresqlServer
from tests.support.target_conformance import SENTENCES, Bench
from tests.support.target_server import serving


@pytest.fixture(scope="module")
def sqlite_systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = create_support_systems(f"sqlite:///{tmp_path_factory.mktemp('systems') / 'support.sqlite3'}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def postgresql_systems(postgresql_server: PostgresqlServer) -> Iterator[Engine]:
    engine = create_support_systems(postgresql_server.create_database("conformance"))
    yield engine
    engine.dispose()
    postgresql_server.drop_database("conformance")


@pytest.fixture(scope="module")
def sqlite(sqlite_systems: Engine) -> Mapping[str, Bench]:
    return {name: Bench(target, sqlite_systems) for name, target in sql_targets(sqlite_systems).items()}


@pytest.fixture(scope="module")
def postgresql(postgresql_systems: Engine) -> Mapping[str, Bench]:
    return {name: Bench(target, postgresql_systems) for name, target in sql_targets(postgresql_systems).items()}


@pytest.fixture(scope="module")
def http(sqlite_systems: Engine) -> Iterator[Mapping[str, Bench]]:
    with serving(sqlite_systems) as server:
        targets = http_targets(server.addresses())
        yield {name: Bench(target, sqlite_systems) for name, target in targets.items()}


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("target", FORMS)
@pytest.mark.parametrize("adapter", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql), "http"])
def test_every_adapter_passes_every_sentence(
    request: pytest.FixtureRequest, adapter: str, target: str, sentence: str
) -> None:
    SENTENCES[sentence](request.getfixturevalue(adapter)[target])


class _Broken:
    """A target that does one thing wrong: each kind below says which."""

    def __init__(self, target: Target, engine: Engine) -> None:
        self.target = target
        self.engine = engine

    @property
    def name(self) -> str:
        return self.target.name

    def read(self, subject: str) -> SubjectState | None:
        return self.target.read(subject)

    def raise_fence(self, subject: str, fence: int) -> None:
        self.target.raise_fence(subject, fence)

    def probe(self, key: str) -> TargetReceipt | None:
        return self.target.probe(key)

    def apply(self, request: TargetRequest) -> TargetReceipt:
        return self.target.apply(request)


class _ForgetsKeys(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        first = self.target.probe(request.key)
        with writing(self.engine) as connection:
            connection.execute(sa.delete(receipts).where(receipts.c.key == request.key))
        unconditional = msgspec.structs.replace(request, expected_version=None)
        again = self.target.apply(unconditional if first is not None else request)
        return first or again


class _GivesAnotherReceipt(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        known = self.target.probe(request.key) is not None
        receipt = self.target.apply(request)
        return msgspec.structs.replace(receipt, reference=f"{receipt.reference}-again") if known else receipt


class _TakesOtherValuesForKnown(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        return self.target.probe(request.key) or self.target.apply(request)


class _IgnoresFences(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        return self.target.apply(msgspec.structs.replace(request, fence=10))


class _KeepsFencesOfEffectsAlone(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        state = self.target.read(request.subject)
        if request.expected_version not in {None, state.version if state else None}:
            raise SubjectChanged("subject_changed")
        return self.target.apply(request)


class _RaisesNoFence(_Broken):
    def raise_fence(self, subject: str, fence: int) -> None:
        """Do nothing."""


class _LowersFences(_Broken):
    def raise_fence(self, subject: str, fence: int) -> None:
        with writing(self.engine) as connection:
            connection.execute(sa.delete(fences).where(fences.c.subject == subject))
        self.target.raise_fence(subject, fence)


class _IgnoresVersions(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        return self.target.apply(msgspec.structs.replace(request, expected_version=None))


class _ProbesNothing(_Broken):
    def probe(self, key: str) -> TargetReceipt | None:  # noqa: ARG002 - the protocol's
        return None


class _ProbesAnything(_Broken):
    def probe(self, key: str) -> TargetReceipt | None:
        return self.target.probe(key) or TargetReceipt(key=key, subject="any", reference="any", version="1")


class _ReadsWhatItLikes(_Broken):
    def read(self, subject: str) -> SubjectState | None:
        state = self.target.read(subject)
        return msgspec.structs.replace(state, values={**state.values, "closed_at": "then"}) if state else None


class _ReadsAnything(_Broken):
    def read(self, subject: str) -> SubjectState | None:
        return self.target.read(subject) or SubjectState(subject=subject, version="1", values={})


class _CannotTellWhatStoodThere(_Broken):
    def read(self, subject: str) -> SubjectState | None:
        state = self.target.read(subject)
        return msgspec.structs.replace(state, values={"closed_at": state.values["closed_at"]}) if state else None


class _CannotWriteNothing(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        if None in request.values.values():
            raise TargetRefused("value_not_allowed")
        return self.target.apply(request)


class _DropsOtherFields(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        known = {name: value for name, value in request.values.items() if name in FORMS[self.name].fields}
        return self.target.apply(msgspec.structs.replace(request, values=known))


class _WritesStateBesides(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        if "state" in request.values:
            edit_subject(self.engine, self.name, request.subject, {"state": request.values["state"]})
        return self.target.apply(request)


class _WritesAnyValueAsText(_Broken):
    def apply(self, request: TargetRequest) -> TargetReceipt:
        texts = {
            name: value if value is None or name == "disposition_version" else str(value)
            for name, value in request.values.items()
        }
        return self.target.apply(msgspec.structs.replace(request, values=texts))


class _HidesEditsByPeople(_Broken):
    """Shows the version of its own last write, whoever wrote since."""

    def __init__(self, target: Target, engine: Engine) -> None:
        super().__init__(target, engine)
        self.versions: dict[str, str] = {}

    def read(self, subject: str) -> SubjectState | None:
        state = self.target.read(subject)
        return msgspec.structs.replace(state, version=self.versions.get(subject, state.version)) if state else None

    def apply(self, request: TargetRequest) -> TargetReceipt:
        receipt = self.target.apply(request)
        self.versions[request.subject] = receipt.version
        return receipt


BROKEN: Mapping[str, tuple[type[_Broken], ...]] = {
    "a_key_twice_gives_one_effect_and_one_receipt": (_ForgetsKeys, _GivesAnotherReceipt),
    "other_values_under_a_known_key_are_refused": (_TakesOtherValuesForKnown, _ForgetsKeys),
    "an_older_fence_is_refused": (_IgnoresFences,),
    "a_refused_request_raises_the_fence_all_the_same": (_KeepsFencesOfEffectsAlone,),
    "a_fence_alone_keeps_out_what_is_on_its_way": (_RaisesNoFence, _LowersFences),
    "a_version_that_is_gone_changes_nothing": (_IgnoresVersions,),
    "an_edit_by_a_person_moves_the_version_on": (_HidesEditsByPeople, _IgnoresVersions),
    "a_probe_tells_of_an_effect_and_of_none": (_ProbesNothing, _ProbesAnything),
    "what_is_read_back_is_what_was_written": (_ReadsWhatItLikes,),
    "an_unknown_subject_reads_as_none": (_ReadsAnything,),
    "every_step_can_be_undone": (_CannotTellWhatStoodThere, _CannotWriteNothing),
    "no_other_field_can_be_written": (_DropsOtherFields, _WritesStateBesides),
    "no_other_kind_of_value_can_be_written": (_WritesAnyValueAsText,),
}


def test_each_sentence_has_an_adapter_that_breaks_it() -> None:
    assert list(BROKEN) == list(SENTENCES)


@pytest.mark.parametrize(
    ("sentence", "broken"),
    [pytest.param(name, kind, id=f"{name}-{kind.__name__}") for name, kinds in BROKEN.items() for kind in kinds],
)
def test_a_broken_adapter_fails_its_sentence(sqlite: Mapping[str, Bench], sentence: str, broken: type[_Broken]) -> None:
    sound = sqlite[LEDGER]
    SENTENCES[sentence](sound)
    with pytest.raises((AssertionError, pytest.fail.Exception, TargetFailure)):
        SENTENCES[sentence](Bench(broken(sound.target, sound.engine), sound.engine))
