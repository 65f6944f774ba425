"""The run launcher: Dagster's own, able to say whether the worker of a run is alive.

Belongs here: the answer that run monitoring asks for. Without it a run whose worker died together with its code server
would count as under way until the longest run time is over, and keep its slot and its incident for as long.
"""

import json
import socket
from collections.abc import Mapping
from typing import Any

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts runs in the code server, as Dagster does by default, and asks it about them.

    The extension point is documented, its types are not public: Dagster is pinned exactly.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Ask the code server at the address that started the run whether it still has a worker for it.

        A server that took the place of a dead one knows nothing of the run. One that does not answer proves nothing:
        it may be busy or out of reach, and until it is back no other run could start there either.
        """
        if GRPC_INFO_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "no code server started it")
        address = json.loads(run.tags[GRPC_INFO_TAG])
        try:
            answer = _client(address).can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            if _is_deserted(address.get("socket")):
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its code server is gone from this machine")
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its code server does not answer")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its code server has no worker for it")


def _client(address: Mapping[str, Any]) -> DagsterGrpcClient:
    return DagsterGrpcClient(
        host=address.get("host", "localhost"),
        port=address.get("port"),
        socket=address.get("socket"),
        use_ssl=bool(address.get("use_ssl")),
    )


def _is_deserted(path: str | None) -> bool:
    """Tell whether nobody listens at a socket of this machine any more. `dagster dev` uses each socket only once."""
    if path is None:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return True
    return False
