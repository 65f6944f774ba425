"""The profile shelf: profiles read from the store, with their lookups built once per process.

Belongs here: keeping `ProfileTables` by profile digest. A digest names its bytes for ever, so nothing goes stale.
"""

from dagster_project.integrity.canonical import parse_strict
from dagster_project.packaging.context import ProfileTables
from dagster_project.packaging.profile import read_profile
from dagster_project.store.transaction import Transaction


class ProfileShelf:
    """Profiles by digest, read at first use."""

    def __init__(self) -> None:
        self._tables: dict[str, ProfileTables] = {}

    def tables(self, transaction: Transaction, profile_digest: str) -> ProfileTables:
        """Return the profile of `profile_digest` with its lookups.

        Raises:
            IntegrityViolation: the stored profile is not what was stored.
        """
        if profile_digest not in self._tables:
            body = transaction.get_sealed(profile_digest)
            profile = read_profile(parse_strict(body), where=profile_digest)
            self._tables[profile_digest] = ProfileTables(profile)
        return self._tables[profile_digest]
