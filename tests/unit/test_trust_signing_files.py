"""Files of private signing keys: their owner's alone, never losing a key, never repeating one in an error."""

import stat
from functools import partial
from pathlib import Path

import pytest

from dagster_project.errors import Unavailable
from dagster_project.store.signing_files import (
    SIGNING_FILE_NAME,
    add_service_keys,
    create_person_key,
    load_person_key,
    load_service_keys,
    new_signing_key,
)
from tests.support.trusted_people import code_of, key


def test_further_service_keys_leave_the_earlier_ones_and_the_mode_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    add_service_keys(folder, {"release": key(1), "index": key(2)})
    add_service_keys(folder, {"index": key(3)})
    add_service_keys(folder, {"audit": key(4)})
    assert load_service_keys(folder) == {"release": (key(1),), "index": (key(2), key(3)), "audit": (key(4),)}
    assert stat.S_IMODE((folder / SIGNING_FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [SIGNING_FILE_NAME]


def test_a_file_that_cannot_be_read_is_never_replaced_by_one_with_fewer_keys(tmp_path: Path) -> None:
    add_service_keys(tmp_path, {"release": key(1)})
    path = tmp_path / SIGNING_FILE_NAME
    path.write_bytes(path.read_bytes()[:-5])
    before = path.read_bytes()
    assert code_of(partial(add_service_keys, tmp_path, {"index": key(2)})) == "signing_keys_unreadable"
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o700])
def test_signing_keys_that_others_can_read_are_refused(tmp_path: Path, mode: int) -> None:
    add_service_keys(tmp_path, {"release": key(1)})
    create_person_key(tmp_path / "kim.json", "kim")
    for name in (SIGNING_FILE_NAME, "kim.json"):
        (tmp_path / name).chmod(mode)
    assert code_of(partial(load_service_keys, tmp_path)) == "keys_exposed"
    assert code_of(partial(load_person_key, tmp_path / "kim.json")) == "keys_exposed"


def test_an_unreadable_file_is_refused_without_a_word_of_it(tmp_path: Path) -> None:
    made = create_person_key(tmp_path / "kim.json", "kim")
    path = tmp_path / "kim.json"
    path.write_bytes(path.read_bytes().replace(b'"seed"', b'"seeds"'))
    with pytest.raises(Unavailable, match="signing_keys_unreadable") as caught:
        load_person_key(path)
    assert made.seed.hex() not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_new_keys_are_never_the_same() -> None:
    assert new_signing_key() != new_signing_key()


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="keys_missing") as caught:
        load_service_keys(tmp_path)
    assert "channelsafe trust init" in caught.value.what_to_do
