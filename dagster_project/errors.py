"""The one exception family of Channelsafe.

Belongs here: the errors that a person can act on, each with a code, what is wrong, where, and what to do.
Does not belong here: errors that a caller handles as data (rejected input is a record, not an exception).
No error text ever carries row content: counts, rule ids, names of fields and digests only (invariant I9).
"""

from typing import ClassVar


class ChannelsafeError(Exception):
    """A failure that says what is wrong, where, and what to do.

    Args:
        code: Stable, lower-case identifier, for example ``profile_unreadable``.
        what: What is wrong, in one sentence.
        where: The file, field, table or incident concerned.
        what_to_do: The next step for the person who reads it.
    """

    exit_code: ClassVar[int] = 5

    def __init__(self, code: str, *, what: str, where: str, what_to_do: str) -> None:
        super().__init__(f"{what} ({where}). {what_to_do} [{code}]")
        self.code = code
        self.what = what
        self.where = where
        self.what_to_do = what_to_do


class UnsafeOrRejected(ChannelsafeError):
    """The input is unsafe or was rejected: a result, not a fault (exit code 1)."""

    exit_code = 1


class UsageError(ChannelsafeError):
    """The call cannot be understood (exit code 2)."""

    exit_code = 2


class Unavailable(ChannelsafeError):
    """Something that this command needs is missing or unreadable (exit code 3)."""

    exit_code = 3


class IntegrityViolation(ChannelsafeError):
    """Stored bytes are not what was stored (exit code 4)."""

    exit_code = 4
