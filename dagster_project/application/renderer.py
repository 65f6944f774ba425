"""Who renders: the digest of the rendering code and the time zone data that it uses.

Belongs here: naming the renderer, so that an internal manifest pins it and `replay` can say when it is another one
(invariant I6).
"""

from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from typing import Final

from dagster_project.integrity.digests import digest_bytes, digest_of

# Every package whose code can change a byte of what is rendered.
RENDERING_PACKAGES: Final = (
    "dagster_project.packaging",
    "dagster_project.scanning",
    "dagster_project.sources",
    "dagster_project.integrity",
)


@dataclass(frozen=True)
class Renderer:
    """The rendering code by digest, and the version of the time zone data."""

    digest: str
    tzdata_version: str


def _digests(folder: Traversable, prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}/{one.name}"
        if one.is_dir() and one.name not in {"__pycache__", "profiles"}:
            found |= _digests(one, name)
        elif one.name.endswith((".py", ".json", ".html", ".md", ".txt", ".jinja")):
            found[name] = digest_bytes(one.read_bytes())
    return found


@cache
def this_renderer() -> Renderer:
    """Return the renderer of the running code."""
    files: dict[str, str] = {}
    for package in RENDERING_PACKAGES:
        files |= _digests(resources.files(package), package)
    return Renderer(digest=digest_of(files), tzdata_version=metadata.version("tzdata"))
