"""The source registry: which sources may speak, and of which record types.

Belongs here: the typed registry, reading it from YAML text, and the one that is shipped. Judging a record against
it is `admission`.
"""

from functools import cache
from importlib import resources

import msgspec
import yaml

from dagster_project.errors import UnsafeOrRejected
from dagster_project.sources.source_fields import record_schemas


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    types: tuple[str, ...]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sources: tuple[_Entry, ...]


class SourceRegistry(msgspec.Struct, frozen=True):
    """The known sources by URI, each with the record types that it may state."""

    types_by_source: dict[str, frozenset[str]]

    def knows(self, source: str) -> bool:
        """Tell whether anything may be admitted from `source`."""
        return source in self.types_by_source

    def allows(self, source: str, record_type: str) -> bool:
        """Tell whether `source` may state records of this type."""
        return record_type in self.types_by_source.get(source, frozenset())


def read_registry(text: str, *, where: str) -> SourceRegistry:
    """Read a registry from YAML: ``sources: [{source: URI, types: [record type, ...]}, ...]``.

    Args:
        text: The YAML document.
        where: The name to show in errors.

    Raises:
        UnsafeOrRejected: not YAML, an unknown or missing key, a source named twice, or an unknown record type.
    """
    try:
        document = msgspec.convert(yaml.safe_load(text), _Document, strict=True)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise _malformed("it is not a list of sources, each with its types", where) from error
    types_by_source = {one.source: frozenset(one.types) for one in document.sources}
    if len(types_by_source) != len(document.sources):
        raise _malformed("a source is named twice", where)
    unknown = frozenset().union(*types_by_source.values()) - set(record_schemas())
    if unknown:
        raise _malformed(f"unknown record types: {', '.join(sorted(unknown))}", where)
    return SourceRegistry(types_by_source)


def _malformed(what: str, where: str) -> UnsafeOrRejected:
    return UnsafeOrRejected(
        "source_registry_malformed",
        what=f"the source registry cannot be used: {what}",
        where=where,
        what_to_do="Correct the registry; dagster_project/sources/known_sources.yaml shows the form.",
    )


@cache
def shipped_registry() -> SourceRegistry:
    """Return the registry that is shipped with the project."""
    file = resources.files("dagster_project.sources") / "known_sources.yaml"
    return read_registry(file.read_text(encoding="utf-8"), where="known_sources.yaml")
