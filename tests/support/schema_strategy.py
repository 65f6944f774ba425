"""A hypothesis strategy for whatever a JSON Schema allows, made from the schema's own structure.

Knows the keywords that the package contract uses, and refuses any other: a keyword that is passed over would widen
what is drawn, one that is guessed would narrow it.
"""

import re
from collections.abc import Callable
from datetime import UTC
from typing import Any, Final

from hypothesis import strategies as st

from dagster_project.clock import format_instant

Schema = dict[str, Any]
Values = st.SearchStrategy[Any]

_NO_MEANING: Final = frozenset({"$schema"})
_KNOWN: Final = {
    "object": frozenset({"type", "properties", "required", "additionalProperties", "propertyNames"}),
    "array": frozenset({"type", "items", "minItems", "uniqueItems"}),
    "string": frozenset({"type", "pattern", "maxLength", "format"}),
    "integer": frozenset({"type", "minimum", "maximum"}),
    "null": frozenset({"type"}),
}
# Texts that break lines, turn directions, look like markup or like a template, or look like a code of ours.
_ODD: Final = (
    "on_hold", "Europe", "europe", "a", "0", "<b>&amp;'\"", "*_`~|", "- x", "1. x", "{minutes}", "{{ x }}", "| --- |",
    " a \n b ", "\u2028a", "a\u202eb", "a\x00b", "\x1b[31ma", "\u200b", "\ufffe", "e\u0301", "\u0130", "\\",
    "", " ", "\u2028", "\x00", "_", "/", "/_",
)  # fmt: skip


def values_of(schema: Schema, *, most: int = 4) -> Values:
    """Return a strategy for values that `schema` allows; maps and lists of open length have up to `most` entries."""
    stated = {name: value for name, value in schema.items() if name not in _NO_MEANING}
    if set(stated) == {"const"}:
        return st.just(stated["const"])
    if set(stated) == {"enum"}:
        return st.sampled_from(stated["enum"])
    if set(stated) == {"anyOf"}:
        return st.one_of([values_of(one, most=most) for one in stated["anyOf"]])
    unknown = set(stated) - _KNOWN[stated["type"]]
    if unknown:
        raise NotImplementedError(f"keywords of {stated['type']} that no strategy is made for: {sorted(unknown)}")
    return _BY_TYPE[stated["type"]](stated, most)


def _objects(schema: Schema, most: int) -> Values:
    stated = {name: values_of(one, most=most) for name, one in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    fixed = st.fixed_dictionaries(
        {name: one for name, one in stated.items() if name in required},
        optional={name: one for name, one in stated.items() if name not in required},
    )
    if schema["additionalProperties"] is False:
        return fixed
    names = values_of({"type": "string"} | schema["propertyNames"], most=most).filter(lambda name: name not in stated)
    others = st.dictionaries(names, values_of(schema["additionalProperties"], most=most), max_size=most)
    return st.builds(lambda left, right: left | right, fixed, others)


def _lists(schema: Schema, most: int) -> Values:
    least = schema.get("minItems", 0)
    items = values_of(schema["items"], most=most)
    return st.lists(items, min_size=least, max_size=max(most, least), unique=schema.get("uniqueItems", False))


def _texts(schema: Schema, _most: int) -> Values:
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.just(UTC)).map(format_instant)
    longest = schema.get("maxLength", 1000)
    # Python's `$` would also match before a last line break; JSON Schema's does not.
    pattern = re.compile(schema.get("pattern", "").replace("$", r"\Z"))
    odd = [text for text in _ODD if pattern.search(text) and len(text) <= longest]
    drawn = st.from_regex(pattern).filter(lambda text: len(text) <= longest)
    return st.one_of(st.sampled_from(odd), drawn) if odd else drawn


def _integers(schema: Schema, _most: int) -> Values:
    return st.integers(min_value=schema.get("minimum"), max_value=schema.get("maximum"))


_BY_TYPE: Final[dict[str, Callable[[Schema, int], Values]]] = {
    "object": _objects,
    "array": _lists,
    "string": _texts,
    "integer": _integers,
    "null": lambda _schema, _most: st.none(),
}
