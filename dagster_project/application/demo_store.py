"""The demo store: a deployment that the demo made, may delete, and marks as its own.

Belongs here: the mark, and making such a store anew. A store without the mark is never touched by the demo.
"""

import shutil
from typing import Final

from dagster_project.errors import UsageError
from dagster_project.settings import Settings
from dagster_project.store.key_files import create_keys

MARK: Final = "made-by-the-demo"


def is_demo_store(settings: Settings) -> bool:
    """Tell whether the demo made this deployment."""
    return (settings.home / MARK).is_file()


def require_demo_store(settings: Settings) -> None:
    """Refuse to go on in a store that the demo did not make.

    Raises:
        UsageError: it did not.
    """
    if not is_demo_store(settings):
        raise UsageError(
            "not_a_demo_store",
            what="this is allowed only in a store that the demo made",
            where=str(settings.home),
            what_to_do="Run `channelsafe demo` first, or name its folder with CHANNELSAFE_HOME.",
        )


def make_demo_store(settings: Settings) -> None:
    """Make the folders and keys of a demo store, removing an earlier demo.

    Raises:
        UsageError: the home holds something that the demo did not make.
    """
    if settings.home.exists() and any(settings.home.iterdir()):
        require_demo_store(settings)
        shutil.rmtree(settings.home)
    if settings.keys.exists() and (settings.keys / MARK).is_file():
        shutil.rmtree(settings.keys)
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / MARK).write_text("This store holds the sample scenario. `channelsafe demo` deletes it.\n")
    if not settings.keys.exists():
        create_keys(settings.keys)
        (settings.keys / MARK).write_text("Keys of the demo store.\n")
