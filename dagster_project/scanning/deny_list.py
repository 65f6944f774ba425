"""Deny lists: names known to be internal, and matching source-derived text against them.

Belongs here: which values of an incident's records become denied terms, for the release check and for the scanner, and
the normalisation that makes a term match its variants. The release check matches only source-derived string parameters
(invariant I1): text of a profile is not. Does not belong here: how the scanner searches for terms (`terms`).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagster_project.integrity.digests import digest_of
from dagster_project.scanning.terms import Terms
from dagster_project.scanning.variants import folded
from dagster_project.sources.record import Classification, Record
from dagster_project.sources.source_fields import field_classification, present_fields, values_kept_inside

# Terms of fewer bytes would match by accident inside ordinary words; two ideographs are a name.
_SHORTEST_TERM: Final = 4
# Longer values are prose: their words are ordinary, and the whole text cannot stand in a parameter.
LONGEST_TERM = 200
# A host is also spoken of by its first label alone: relay-07 for relay-07.eu.internal.
_HOST = re.compile(r"([A-Za-z0-9-]+)(\.[A-Za-z0-9-]+){2,}")
_ASCII_SEPARATORS = bytes(one for one in range(128) if not chr(one).isalnum())

# What kind of name a field holds, by the last part of its pointer; any other field that stays inside is annexed text.
_KINDS: Final = {
    "component": "component", "edges": "component", "vendors": "vendor", "host": "host", "name": "person",
    "contact": "person", "told_by": "person", "reviewer": "person", "resolution_confirmed_by": "person",
}  # fmt: skip
# Words of a vocabulary, instants and versions: they say nothing by themselves, and every text is full of them.
_NO_NAMES: Final = frozenset({"outcome", "channels", "scope", "expires", "subject_version", "review_subject"})


@dataclass(frozen=True)
class DenyList:
    """Normalised terms that may not appear in source-derived text."""

    terms: frozenset[str]

    @property
    def digest(self) -> str:
        """Digest of the list: the release check is bound to it."""
        return digest_of(sorted(self.terms))

    def hits(self, text: str) -> int:
        """Return how many denied terms stand in `text`, in any case and with any separators."""
        flat = normalise(text)
        return sum(1 for term in self.terms if term in flat)


def normalise(text: str) -> str:
    """Fold case, accents and what looks alike, and drop separators, so that variants of a term are one term."""
    if text.isascii():  # the same, several times as fast
        return text.lower().encode().translate(None, _ASCII_SEPARATORS).decode()
    return "".join(one for one in unicodedata.normalize("NFKD", folded(text).casefold()) if one.isalnum())


def is_too_short(term: str) -> bool:
    """Tell whether a normalised term is so short that it is not looked for."""
    return len(term.encode()) < _SHORTEST_TERM


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _spoken(text: str) -> Iterator[str]:
    yield text
    host = _HOST.fullmatch(text) if "." in text else None
    if host is not None:
        yield host[1]


@dataclass(frozen=True)
class NamesInRecords:
    """Normalised names in an incident's records: those that nobody outside may read, and the accounts by name."""

    internal: frozenset[str]
    by_account: Mapping[str, frozenset[str]]


def names_in_records(records: Iterable[Record]) -> NamesInRecords:
    """Collect every short value of a field that is not `customer`, and the name of every account."""
    internal: set[str] = set()
    accounts: set[str] = set()
    for record in records:
        for value in values_kept_inside(record):
            internal.update(_strings(value))
        if "account" in record.data and field_classification(record, "/account") is Classification.CUSTOMER:
            accounts.add(record.data["account"])
    return NamesInRecords(_normalised(internal), {name: _normalised([name]) for name in accounts})


def _normalised(texts: Iterable[str]) -> frozenset[str]:
    short = (text for text in texts if len(text) <= LONGEST_TERM)
    return frozenset(normalise(spoken) for text in short for spoken in _spoken(text))


def deny_list_of(
    names: NamesInRecords,
    *,
    approved: Mapping[str, str],
    denied_terms: Iterable[str],
    account: str,
) -> DenyList:
    """Collect the denied terms of one rendering.

    Every internal name in the records is denied, as is the name of every other account, less the public names that
    the profile approves.
    """
    others = (terms for name, terms in names.by_account.items() if name != account)
    terms = {normalise(term) for term in denied_terms}.union(names.internal, *others)
    allowed = {normalise(name) for name in approved.values()}
    return DenyList(frozenset(term for term in terms if not is_too_short(term) and term not in allowed))


def terms_of(records: Iterable[Record], *, approved: Iterable[str], denied_terms: Iterable[str], account: str) -> Terms:
    """Collect what the scanner may not find in any text for one account, by kind of name.

    That is every name, host, person and annexed text that the records keep inside, and every other account, less the
    `approved` public names; and `denied_terms`, from which nothing is taken.
    """
    denied: dict[str, set[str]] = {"tenant": set()}
    for record in records:
        if record.data.get("account", account) != account:
            denied["tenant"].add(record.data["account"])
        if record.recordedby is not None:
            denied.setdefault("person", set()).add(record.recordedby)
        for pointer, value in present_fields(record):
            last = pointer.rpartition("/")[2]
            if last not in _NO_NAMES and field_classification(record, pointer) is not Classification.CUSTOMER:
                names = denied.setdefault(_KINDS.get(last, "annex"), set())
                names.update(spoken for text in _strings(value) for spoken in _spoken(text))
    return Terms.of(denied, approved=approved, always=denied_terms)
