"""The workspace as a Dagster resource, with the support systems beside it.

Belongs here: opening what the settings name, once per process and not before it is needed.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from dagster_project.application.closing_systems import Systems


class WorkspaceResource:
    """Gives assets the opened deployment. Nothing is opened until the first asset asks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def workspace(self) -> Workspace:
        """The opened deployment.

        Raises:
            Unavailable: keys, database or stored bodies cannot be reached.
        """
        return open_workspace(self.settings)

    @cached_property
    def systems(self) -> "Systems":
        """The support systems that closures are propagated to.

        Raises:
            Unavailable: the settings name none.
        """
        # Their adapters cost a code location tens of milliseconds, and most processes never close a case.
        from dagster_project.application.closing_systems import open_systems

        return open_systems(self.settings)


class OpenedWorkspace(WorkspaceResource):
    """Gives assets a deployment that the caller opened, with the caller's clock."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.settings)
        self._opened = workspace

    @cached_property
    def workspace(self) -> Workspace:
        """The deployment that was handed in."""
        return self._opened
