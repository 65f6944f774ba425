"""The workspace: one deployment opened, with everything that use cases need.

Belongs here: opening the store, the registry of known sources, the clock and the renderer, once per process.
"""

from dataclasses import dataclass, field

from dagster_project.application.profile_shelf import ProfileShelf
from dagster_project.application.renderer import Renderer, this_renderer
from dagster_project.application.trust_shelf import TrustShelf
from dagster_project.clock import Clock, SystemClock
from dagster_project.connections.anchor import open_anchor
from dagster_project.settings import Settings
from dagster_project.sources.registry import SourceRegistry, shipped_registry
from dagster_project.store.key_files import create_keys
from dagster_project.store.store import Store, open_store

__all__ = ["Workspace", "create_keys", "create_keys_if_new", "open_workspace"]


@dataclass(frozen=True)
class Workspace:
    """What every use case works in. `shelf` keeps profiles that were read, `trust_shelf` trust that was verified."""

    settings: Settings
    store: Store
    clock: Clock
    registry: SourceRegistry
    renderer: Renderer
    shelf: ProfileShelf = field(default_factory=ProfileShelf)
    trust_shelf: TrustShelf = field(default_factory=TrustShelf)


def open_workspace(settings: Settings, *, clock: Clock | None = None) -> Workspace:
    """Open the deployment that `settings` name.

    Raises:
        Unavailable: keys, database or stored bodies cannot be reached; the message says what to do.
        UsageError: the anchor of the audit log lies in the data folder.
    """
    anchor = open_anchor(settings.anchor, home=settings.home)
    store = open_store(settings.home, settings.database_url, settings.keys, settings.blobs_url, anchor)
    return Workspace(
        settings=settings,
        store=store,
        clock=clock or SystemClock(),
        registry=shipped_registry(),
        renderer=this_renderer(),
    )


def create_keys_if_new(settings: Settings) -> bool:
    """Make the key files of a deployment that has neither keys nor data; tell whether that was done."""
    if settings.keys.exists() or settings.home.exists():
        return False
    create_keys(settings.keys)
    return True
