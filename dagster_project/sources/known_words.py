"""Known words: which words known sources use in the fields whose values profiles map.

Belongs here: the typed table and reading the one that is shipped. What a word is shown as is the profile's business;
whether a record is admitted never depends on it.
"""

from functools import cache
from importlib import resources
from typing import Final

import msgspec
import yaml

from dagster_project.sources.severity import severity_terms

# The field by which a vocabulary is known to be one that a profile speaks.
STATES: Final = "service-health#/state"
SEVERITIES: Final = "incident#/severity"


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words of some sources, by source field."""

    name: str
    sources: tuple[str, ...]
    words: dict[str, tuple[str, ...]]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vocabularies: tuple[Vocabulary, ...]


@cache
def known_vocabularies() -> tuple[Vocabulary, ...]:
    """Return the vocabularies that are shipped with the project."""
    file = resources.files("dagster_project.sources") / "known_words.yaml"
    return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), _Document).vocabularies


def is_known_word(source_field: str, word: str) -> bool:
    """Tell whether any known source may use a word in a field; a severity may be any term that has a meaning here."""
    if any(word in one.words.get(source_field, ()) for one in known_vocabularies()):
        return True
    return source_field == SEVERITIES and severity_terms().knows(word)
