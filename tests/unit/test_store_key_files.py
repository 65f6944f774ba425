"""Key files: who may read them is judged before they are used."""

import stat
from pathlib import Path

import pytest

from dagster_project.errors import Unavailable
from dagster_project.store.key_files import KEY_FILE_NAME, create_keys, load_keys


def test_created_keys_are_loaded_again_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    assert load_keys_after_creating(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / KEY_FILE_NAME).stat().st_mode) == 0o600


def load_keys_after_creating(folder: Path) -> bool:
    return create_keys(folder) == load_keys(folder)


def test_two_rings_are_never_the_same(tmp_path: Path) -> None:
    assert create_keys(tmp_path / "a") != create_keys(tmp_path / "b")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o610, 0o700, 0o601])
def test_a_key_file_of_another_mode_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    create_keys(tmp_path)
    path = tmp_path / KEY_FILE_NAME
    path.chmod(mode)
    with pytest.raises(Unavailable) as caught:
        load_keys(tmp_path)
    assert caught.value.code == "keys_exposed"
    assert f"chmod 600 {path}" in caught.value.what_to_do


def test_a_missing_key_file_says_how_keys_are_made(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="keys_missing") as caught:
        load_keys(tmp_path)
    assert "channelsafe keys create" in caught.value.what_to_do


def test_a_folder_in_place_of_the_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE_NAME).mkdir(mode=0o600)
    with pytest.raises(Unavailable, match="keys_missing"):
        load_keys(tmp_path)


def test_existing_keys_are_never_replaced(tmp_path: Path) -> None:
    keys = create_keys(tmp_path)
    with pytest.raises(Unavailable, match="keys_exist"):
        create_keys(tmp_path)
    assert load_keys(tmp_path) == keys
