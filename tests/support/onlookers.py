"""Onlookers: whoever looks at a published folder again and again, with public trust and what they saw before alone."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dagster_project.application.trust import public_trust_file, trust_chain
from dagster_project.application.verify_published import VerifiedPackage, verify_published
from dagster_project.application.workspace import Workspace
from dagster_project.connections.published_folder import read_published_folder
from dagster_project.errors import UnsafeOrRejected
from dagster_project.integrity.public_trust import follow_public_trust
from dagster_project.integrity.published_package import PublishedPackage, read_published_package

NOT_FINISHED = frozenset({"pull_not_finished", "release_not_finished"})


@dataclass(frozen=True)
class Onlooker:
    """Somebody with a place of their own, in which the public trust file and what they saw lie."""

    place: Path

    @property
    def trust_file(self) -> Path:
        return self.place / "public-trust.json"

    @property
    def state(self) -> Path:
        return self.place / "seen.json"

    def verifies(self, folder: Path, at: datetime) -> VerifiedPackage:
        return verify_published(folder, trust_file=self.trust_file, state_file=self.state, at=at)

    def looks_at(self, folder: Path, at: datetime) -> str:
        """Verify the folder, at whatever moment; return ``finished``, or by which code its publisher had not done."""
        try:
            self.verifies(folder, at)
        except UnsafeOrRejected as refused:
            if refused.code not in NOT_FINISHED:
                raise
            return refused.code
        return "finished"

    def sees(self, folder: Path) -> PublishedPackage:
        """Return what is signed of the folder: everything that the newest index lists, `current` with all its files."""
        published = read_published_folder(folder)
        return read_published_package(
            published.name, published.files, follow_public_trust(self.trust_file.read_bytes())
        )


def onlooker(workspace: Workspace, place: Path) -> Onlooker:
    """Return somebody who has the public trust of a deployment."""
    place.mkdir(parents=True)
    one = Onlooker(place)
    with workspace.store.read() as transaction:
        one.trust_file.write_bytes(public_trust_file(trust_chain(transaction, workspace)))
    return one
