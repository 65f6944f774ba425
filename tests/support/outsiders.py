"""Somebody outside who was handed a published folder, and what they may be handed that is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from dagster_project.application.verify_published import VerifiedPackage, verify_published
from dagster_project.errors import ChannelsafeError
from dagster_project.integrity.digests import digest_bytes
from dagster_project.integrity.publication import statement_path
from tests.support.published_folders import BEGIN, PACKAGE_ID, Ceremonies, Publisher, resigned

VIOLATION, STALE, UNREADABLE = 4, 1, 3
Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Outsider:
    """Somebody with a folder, a public trust file, and what they saw before."""

    place: Path

    @property
    def state(self) -> Path:
        return self.place / "seen.json"

    @property
    def trust_file(self) -> Path:
        return self.place / "public-trust.json"

    @property
    def folder(self) -> Path:
        return self.place / PACKAGE_ID

    def is_given(self, publisher: Publisher, trust: Ceremonies | None = None) -> None:
        if self.folder.exists():
            rmtree(self.folder)
        publisher.write(self.place)
        self.trust_file.write_bytes((trust or Ceremonies().add()).file)

    def verifies(self, *, at: datetime = BEGIN) -> VerifiedPackage:
        return verify_published(self.folder, trust_file=self.trust_file, state_file=self.state, at=at)

    def accepts(self, publisher: Publisher, trust: Ceremonies | None = None) -> VerifiedPackage:
        self.is_given(publisher, trust)
        return self.verifies()

    def refuses_what_lies_there(self, *, at: datetime = BEGIN) -> ChannelsafeError:
        """Return the refusal, once it is sure that it moved nothing."""
        before = self.state.read_bytes() if self.state.exists() else None
        with pytest.raises(ChannelsafeError) as refusal:
            self.verifies(at=at)
        assert (self.state.read_bytes() if self.state.exists() else None) == before
        assert refusal.value.where
        assert refusal.value.what_to_do
        return refusal.value

    def refuses(
        self, publisher: Publisher, trust: Ceremonies | None = None, *, code: str, exit_code: int = VIOLATION
    ) -> ChannelsafeError:
        """Hand over a folder and return its refusal."""
        self.is_given(publisher, trust)
        refusal = self.refuses_what_lies_there()
        assert (refusal.code, refusal.exit_code) == (code, exit_code)
        return refusal


def small() -> Publisher:
    """Return a folder with everything in it: a current version, a withdrawn one, its tombstone, three indexes."""
    return Publisher().release().release(slot_state="on_hold").pull(1, "withdrawn")


def restated(change: Change, *, signer: str = "release") -> Publisher:
    """Return a publisher of one version whose statement was signed with a change, and is listed so."""
    publisher = Publisher().release()
    statement = resigned(publisher.files[statement_path(1)], change, signer)
    publisher.files[statement_path(1)] = statement
    digest = digest_bytes(statement).removeprefix("sha256:")
    return publisher.resign_index(lambda document: document["subject"][0]["digest"].update(sha256=digest))


def predicate(**changes: object) -> Change:
    return lambda document: document["predicate"].update(changes)


def states(*numbers_and_states: str) -> dict[str, Any]:
    pairs = zip(numbers_and_states[::2], numbers_and_states[1::2], strict=True)
    return {number: {"state": state} for number, state in pairs}
