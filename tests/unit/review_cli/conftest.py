"""Deployments before and after a first release, for the tests of reviewing by the command line."""

from pathlib import Path

import pytest

from tests.support.review_room import ReviewRoom, open_room


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> ReviewRoom:
    return open_room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="session")
def released(opened: ReviewRoom, tmp_path_factory: pytest.TempPathFactory) -> ReviewRoom:
    room = opened.copy(tmp_path_factory.mktemp("released"))
    room.release_first()
    return room


@pytest.fixture
def before(opened: ReviewRoom, tmp_path: Path) -> ReviewRoom:
    """A deployment of which nothing was released yet."""
    return opened.copy(tmp_path)


@pytest.fixture
def after(released: ReviewRoom, tmp_path: Path) -> ReviewRoom:
    """A deployment in which version 1 was released to one bridge."""
    return released.copy(tmp_path)
