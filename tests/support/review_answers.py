"""What the tests of reviewing by the command line read of a deployment, and of an answer that refuses."""

from typing import Any

from tests.support.command_line import Answer
from tests.support.review_room import BRIDGE, INCIDENT, ReviewRoom

SEVERITY = "/severity_code"
OTHER = "tidewater"


def refused(answer: Answer, code: str, exit_code: int = 1) -> bool:
    return answer.code == exit_code and f"code:  {code}\n" in answer.err and "to do:" in answer.err


def published(room: ReviewRoom) -> set[str]:
    """Return the names of all files in the published folder, below the folder of each package."""
    root = room.run.home / "published"
    return {str(one.relative_to(root)).split("/", 1)[1] for one in root.glob("*/**/*") if one.is_file()}


def waiting(room: ReviewRoom) -> dict[str, Any]:
    return {one["bridge"]: one for one in room.done("review", "list", INCIDENT)}


def states(room: ReviewRoom) -> dict[int, str]:
    history = room.done("history", INCIDENT, "--bridge", BRIDGE)
    return {one["version"]: one["state"] for one in history["versions"]}


def profile_step(room: ReviewRoom, act: str, digest: str, person: str, *more: str) -> Answer:
    return room.run("profile", act, digest, "--key", str(room.key(person)), *more)
