"""Receiving: taking records in, and refreshing severity one in the process that took them in.

Belongs here: what every way in does after admission. What is not of severity one waits for the sensor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.application.admit import AdmissionReport, DeliveredUnit, admit
from dagster_project.application.landing import admit_landing
from dagster_project.application.lanes import refresh_urgent
from dagster_project.application.refresh import RefreshReport
from dagster_project.application.workspace import Workspace


@dataclass(frozen=True)
class Received:
    """What became of the delivered units, and the refreshes of severity one that followed at once."""

    admission: AdmissionReport
    refreshed: tuple[RefreshReport, ...]


def receive(workspace: Workspace, units: Sequence[DeliveredUnit]) -> Received:
    """Admit units, and refresh at once what of it is of severity one."""
    return _refreshed(workspace, admit(workspace, units))


def receive_landing(workspace: Workspace, *, limit: int) -> Received:
    """Admit up to `limit` files of the landing folder, and refresh at once what of it is of severity one.

    Raises:
        Unavailable: the landing folder is missing or may not be read or changed.
    """
    return _refreshed(workspace, admit_landing(workspace, limit=limit))


def _refreshed(workspace: Workspace, admission: AdmissionReport) -> Received:
    refreshed = refresh_urgent(workspace, admission.incidents) if admission.incidents else ()
    return Received(admission, refreshed)
