"""Intake status: what was delivered, what was kept aside, which sources lag, which files could not be read."""

from dataclasses import dataclass

from dagster_project.application.workspace import Workspace
from dagster_project.connections.landing import KeptAside, kept_aside
from dagster_project.store import intake
from dagster_project.store.intake import DeliveryCount, LaggingSourceRow, RejectedInputRow, RejectedState


@dataclass(frozen=True)
class IntakeStatus:
    """Counts of deliveries by outcome, and everything that waits for a person."""

    deliveries: tuple[DeliveryCount, ...]
    rejected: tuple[RejectedInputRow, ...]
    lagging: tuple[LaggingSourceRow, ...]
    unreadable_files: tuple[KeptAside, ...]


def intake_status(workspace: Workspace) -> IntakeStatus:
    """Return the state of everything that was delivered."""
    landing = workspace.settings.landing
    with workspace.store.read() as transaction:
        return IntakeStatus(
            deliveries=tuple(intake.count_deliveries(transaction)),
            rejected=tuple(intake.rejected_inputs_in(transaction, RejectedState.OPEN)),
            lagging=tuple(intake.open_lagging(transaction)),
            unreadable_files=tuple(kept_aside(landing)) if landing.is_dir() else (),
        )
