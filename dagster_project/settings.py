"""Settings: where things lie, read from the environment once.

Belongs here: the one typed `Settings` and how it is read. Everything but keys lies under one folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "CHANNELSAFE_HOME"
KEYS_VARIABLE: Final = "CHANNELSAFE_KEYS"
DATABASE_VARIABLE: Final = "CHANNELSAFE_DATABASE_URL"
DAGSTER_DATABASE_VARIABLE: Final = "CHANNELSAFE_DAGSTER_DATABASE_URL"
BLOBS_VARIABLE: Final = "CHANNELSAFE_BLOBS_URL"
ANCHOR_VARIABLE: Final = "CHANNELSAFE_ANCHOR"
SUPPORT_SYSTEMS_VARIABLE: Final = "CHANNELSAFE_SUPPORT_SYSTEMS"
DEFAULT_HOME: Final = ".channelsafe"
DEFAULT_KEYS: Final = ".channelsafe-keys"


@dataclass(frozen=True)
class Settings:
    """Where one deployment keeps its state.

    `home` holds everything but keys; `keys` is the folder of key files, outside `home`, so that a backup of
    `home` carries no key. `database_url`, `blobs_url` and `dagster_database_url` are None for
    the embedded defaults inside `home`. `anchor` is the file in which checkpoints of the audit log are kept out of
    reach of `home` and its backups; None where there is none. `support_systems` is where closures are propagated to:
    the URL of a support-systems database, or the HTTP base URL of such systems; None where there are none.
    """

    home: Path
    keys: Path
    database_url: str | None = None
    blobs_url: str | None = None
    dagster_database_url: str | None = None
    anchor: Path | None = None
    support_systems: str | None = None

    @property
    def landing(self) -> Path:
        """The landing folder: NDJSON files dropped here are admitted."""
        return self.home / "landing"

    @property
    def published_analytics(self) -> Path:
        """The folder of the DuckDB files for analysts."""
        return self.home / "analytics"

    @property
    def published(self) -> Path:
        """The published folder: released packages, a folder for each, public bytes alone."""
        return self.home / "published"

    @property
    def views(self) -> Path:
        """The folder in which package views of candidates are laid out for people inside."""
        return self.home / "candidate_views"

    @property
    def dagster_home(self) -> Path:
        """The folder of the embedded Dagster instance."""
        return self.home / "dagster"


def read_settings(environment: Mapping[str, str], *, base: Path) -> Settings:
    """Read the settings; relative folders count from `base`."""
    home = Path(environment.get(HOME_VARIABLE) or DEFAULT_HOME)
    keys = Path(environment.get(KEYS_VARIABLE) or DEFAULT_KEYS)
    anchor = environment.get(ANCHOR_VARIABLE)
    return Settings(
        home=(base / home).resolve(),
        keys=(base / keys).resolve(),
        database_url=environment.get(DATABASE_VARIABLE) or None,
        blobs_url=environment.get(BLOBS_VARIABLE) or None,
        dagster_database_url=environment.get(DAGSTER_DATABASE_VARIABLE) or None,
        anchor=(base / anchor).resolve() if anchor else None,
        support_systems=environment.get(SUPPORT_SYSTEMS_VARIABLE) or None,
    )
