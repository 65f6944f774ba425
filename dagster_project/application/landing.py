"""The landing folder: files dropped there become admitted records or rejected input, line by line.

Belongs here: the order of picking up, admitting and finishing, which makes that nothing is read twice and nothing
is lost. The folder itself is `connections.landing`.
"""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Final

from dagster_project.application.admit import AdmissionReport, DeliveredUnit, admit_batch, batches, merge_reports
from dagster_project.application.subjects import Accounts
from dagster_project.application.workspace import Workspace
from dagster_project.connections.landing import PickedUpFile, Unit, finish, pick_up, units
from dagster_project.store import intake
from dagster_project.store.intake import LandingFileRow, LandingState
from dagster_project.store.transaction import Transaction

ALL_LINES: Final = 2**62


def admit_landing(workspace: Workspace, *, limit: int, lines: int = ALL_LINES) -> AdmissionReport:
    """Admit from up to `limit` landing files, those begun before first, then by name; the rest stays.

    How far a file was read is committed together with what was read of it: the next call goes on behind it, also
    where this one was interrupted. A file is finished only after all its lines were committed.

    Args:
        workspace: The deployment.
        limit: The most files to read from.
        lines: The most lines to admit, of all these files together.
    """
    workspace.settings.landing.mkdir(parents=True, exist_ok=True)
    reports: list[AdmissionReport] = []
    accounts, left = Accounts(), lines
    for file in pick_up(workspace.settings.landing, limit=limit):
        if left > 0:
            reports.append(_admit_file(workspace, accounts, file, left))
            left -= reports[-1].delivered
    return merge_reports(reports)


def _admit_file(workspace: Workspace, accounts: Accounts, file: PickedUpFile, lines: int) -> AdmissionReport:
    """Admit up to this many lines of a file; finish it where none is left."""
    with workspace.store.read() as transaction:
        begun = intake.landing_file(transaction, digest=file.digest, name=file.name)
    stands = begun = begun or LandingFileRow(state=LandingState.PICKED_UP, lines=0)
    reports = []
    if begun.state is not LandingState.DONE:
        for batch, stands in _unread(file, begun, lines):
            delivered = [DeliveredUnit(unit=one.name, locator=f"line {one.line}", body=one.content) for one in batch]
            also = partial(_note, workspace, file, stands)
            reports.append(admit_batch(workspace, accounts, delivered, also))
        if not reports:
            stands = LandingFileRow(state=LandingState.DONE, lines=begun.lines)
            with workspace.store.begin() as transaction:
                _note(workspace, file, stands, transaction)
    if stands.state is LandingState.DONE and not finish(file):
        with workspace.store.begin() as transaction:
            intake.forget_landing_file(transaction, digest=file.digest, name=file.name)
    return merge_reports(reports)


def _unread(file: PickedUpFile, begun: LandingFileRow, lines: int) -> Iterator[tuple[list[Unit], LandingFileRow]]:
    """Yield batches of the lines that were not delivered yet, each with where the file stands after it."""
    with closing(units(file)) as read:
        unread = (unit for unit in read if unit.line > begun.lines)
        parts = batches(islice(unread, lines), size=lambda unit: len(unit.content))
        ahead = next(parts, None)
        while ahead is not None:
            batch, ahead = ahead, next(parts, None)
            is_last = ahead is None and next(unread, None) is None
            state = LandingState.DONE if is_last else LandingState.PICKED_UP
            yield batch, LandingFileRow(state=state, lines=batch[-1].line)


def _note(workspace: Workspace, file: PickedUpFile, stands: LandingFileRow, transaction: Transaction) -> None:
    intake.note_landing_file(transaction, digest=file.digest, name=file.name, row=stands, at=workspace.clock.now())
