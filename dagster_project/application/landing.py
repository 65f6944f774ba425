"""The landing folder: files dropped there become admitted records or rejected input, line by line.

Belongs here: the order of picking up, admitting and finishing, which makes that nothing is read twice and nothing
is lost. The folder itself is `connections.landing`.
"""

from dagster_project.application.admit import AdmissionReport, DeliveredUnit, admit, merge_reports
from dagster_project.application.workspace import Workspace
from dagster_project.connections.landing import PickedUpFile, finish, pick_up, units
from dagster_project.store import intake
from dagster_project.store.intake import LandingState


def admit_landing(workspace: Workspace, *, limit: int) -> AdmissionReport:
    """Admit up to `limit` landing files, oldest name first; the rest stays for the next call.

    A file is finished only after all its lines were committed. One that was interrupted is read again, and what
    had been admitted of it is a duplicate.
    """
    workspace.settings.landing.mkdir(parents=True, exist_ok=True)
    files = pick_up(workspace.settings.landing)[:limit]
    return merge_reports(_admit_file(workspace, file) for file in files)


def _admit_file(workspace: Workspace, file: PickedUpFile) -> AdmissionReport:
    lines = [DeliveredUnit(unit=one.name, locator=f"line {one.line}", body=one.content) for one in units(file)]
    with workspace.store.begin() as transaction:
        state = intake.register_landing_file(
            transaction,
            digest=file.digest,
            name=file.name,
            lines=len(lines),
            picked_up_at=workspace.clock.now(),
        )
    report = merge_reports(()) if state is LandingState.DONE else admit(workspace, lines)
    with workspace.store.begin() as transaction:
        intake.finish_landing_file(transaction, digest=file.digest, name=file.name)
    finish(file)
    return report
