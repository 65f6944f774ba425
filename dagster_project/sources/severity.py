"""Severity one: which records say that an incident is of the highest severity.

Belongs here: the one versioned table that ties the terms of source systems to severity one, and reading it. What a
customer is shown as severity is the profile's business.
"""

from functools import cache
from importlib import resources
from typing import Final

import msgspec
import yaml

from dagster_project.sources.record import Record

INCIDENT_TYPE: Final = "incident"
_IGNORED: Final = str.maketrans("", "", " -_")


class _BySource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    severity_one: frozenset[str]


class SeverityTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table: terms of severity one, terms below it, and what single sources mean otherwise."""

    version: int
    severity_one: frozenset[str]
    lower: frozenset[str]
    by_source: tuple[_BySource, ...]

    def knows(self, term: str) -> bool:
        """Tell whether the table says of a term what it means."""
        plain = term.casefold().translate(_IGNORED)
        return plain in self.severity_one | self.lower or any(plain in one.severity_one for one in self.by_source)

    def means_severity_one(self, source: str, term: str) -> bool:
        """Tell whether `source` means severity one by `term`; so does a term that the table does not know."""
        plain = term.casefold().translate(_IGNORED)
        own = any(one.source == source and plain in one.severity_one for one in self.by_source)
        return own or plain in self.severity_one or plain not in self.lower


@cache
def severity_terms() -> SeverityTerms:
    """Return the table that is shipped with the project."""
    file = resources.files("dagster_project.sources") / "severity_terms.yaml"
    return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), SeverityTerms)


def is_severity_one(incident: Record) -> bool:
    """Tell whether a record of type ``incident`` says that its incident is of severity one."""
    return severity_terms().means_severity_one(incident.source, incident.data["severity"])
