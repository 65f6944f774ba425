"""The workspace as a Dagster resource.

Belongs here: opening the deployment that the settings name, once per process and not before it is needed.
"""

from functools import cached_property

from dagster_project.application.workspace import Workspace, open_workspace
from dagster_project.settings import Settings


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


class OpenedWorkspace(WorkspaceResource):
    """Gives assets a deployment that the caller opened, with the caller's clock."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.settings)
        self._opened = workspace

    @cached_property
    def workspace(self) -> Workspace:
        """The deployment that was handed in."""
        return self._opened
