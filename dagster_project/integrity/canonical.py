"""Canonical JSON: the one way in which Channelsafe writes a document as bytes, and reads bytes strictly.

Belongs here: the writer (RFC 8785 restricted: no floats, safe integers, ASCII keys, NFC strings) and the
strict reader that admits exactly what the writer can write. Does not belong here: schemas and record rules
(`sources`). The restriction is what makes a fast writer safe: without floats and with ASCII keys, orjson's
sorted output is byte for byte RFC 8785 (`rfc8785` is the test oracle).
"""

import json
import unicodedata
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import orjson

MAX_SAFE_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 64
# A reason, and the tokens of the pointer from the innermost outwards.
_Fault: TypeAlias = tuple[str, list[str]]
_MAX_INTEGER_CHARACTERS: Final = len(str(-MAX_SAFE_INTEGER))


class NotCanonical(ValueError):
    """A document that has no canonical form. It names where and which rule, never the value.

    Args:
        reason: Stable reason code, for example ``duplicate_key``.
        pointer: RFC 6901 JSON pointer of the place; empty for the whole document. A key that is itself at
            fault is not named: its object is.
    """

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(f"not canonical JSON: {reason} at {pointer or 'the document'}")
        self.reason = reason
        self.pointer = pointer


class _Refused:
    """Stands where the reader met something refused, so that the guard can name its pointer."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def canonical_bytes(value: object) -> bytes:
    """Write `value` as canonical JSON.

    Args:
        value: dict (ASCII str keys), list, str (NFC), int (at most 2**53 - 1 in size), bool or None, exactly
            of these types; nested at most 64 deep.

    Raises:
        NotCanonical: anything else. Nothing is coerced: a tuple, a float or a subclass of str is refused.
    """
    _guard(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse_strict(data: bytes) -> Any:  # noqa: ANN401 - a JSON document is Any until a schema has judged it
    """Read one JSON document that has a canonical form (its bytes need not be canonical).

    Returns:
        A document for which `canonical_bytes` succeeds.

    Raises:
        NotCanonical: with one of the reasons ``invalid_utf8, not_json, duplicate_key, float, not_a_number,
            unsafe_integer, negative_zero, too_deep, key_not_ascii, string_not_nfc, lone_surrogate``.
    """
    value = _load(data)
    _guard(value)
    return value


def _load(data: bytes) -> Any:  # noqa: ANN401 - as parse_strict
    # The refusal is raised after the handlers, so that it carries no context: that would hold the document.
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        reason = "invalid_utf8"
    except json.JSONDecodeError:
        reason = "not_json"
    except RecursionError:
        reason = "too_deep"
    raise NotCanonical(reason)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Refused("duplicate_key")


def _integer(text: str) -> int | _Refused:
    if text == "-0":
        return _Refused("negative_zero")
    # Longer texts are refused unread: converting thousands of digits is slow, and Python refuses it in words.
    return int(text) if len(text) <= _MAX_INTEGER_CHARACTERS else _Refused("unsafe_integer")


def _float(_text: str) -> _Refused:
    return _Refused("float")


def _constant(_text: str) -> _Refused:
    return _Refused("not_a_number")


def _guard(value: object) -> None:
    """Refuse what has no canonical form; where and why is looked for only when it is needed."""
    fault = None if _is_sound(value, 1) else _fault_in(value, depth=1)
    if fault is not None:
        reason, tokens = fault
        raise NotCanonical(reason, "".join(f"/{_escaped(token)}" for token in reversed(tokens)))


def _is_sound(value: object, depth: int) -> bool:
    """Tell whether a value has a canonical form: the quick half of `_fault_in`, on the path of every document."""
    if type(value) is str and value.isascii():
        return True
    if type(value) is dict:
        return depth <= MAX_DEPTH and _keys_are_sound(value) and _members_are_sound(value.values(), depth)
    if type(value) is list:
        return depth <= MAX_DEPTH and _members_are_sound(value, depth)
    return _fault_in(value, depth=depth) is None


def _keys_are_sound(members: dict[Any, Any]) -> bool:
    return set(map(type, members)) <= {str} and "".join(members).isascii()


def _members_are_sound(members: Iterable[Any], depth: int) -> bool:
    for member in members:
        kind = type(member)
        if kind is str:
            if not member.isascii() and _text_fault(member) is not None:
                return False
        elif kind is dict or kind is list:
            if not _is_sound(member, depth + 1):
                return False
        elif member is not None and kind is not bool and _fault_in(member, depth=depth) is not None:
            return False
    return True


def _fault_in(value: object, *, depth: int) -> _Fault | None:
    # Exact types only: a subclass may write itself as something else. mypy narrows `type(x) is T` as it does
    # isinstance, and this walk is on the path of every record, so scalars come first.
    if type(value) is str:
        return None if value.isascii() else _text_fault(value)
    if type(value) is int:
        return None if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else ("unsafe_integer", [])
    if type(value) is dict or type(value) is list:
        return ("too_deep", []) if depth > MAX_DEPTH else _container_fault(value, depth=depth)
    return None if value is None or type(value) is bool else _foreign_fault(value)


def _container_fault(value: dict[Any, Any] | list[Any], *, depth: int) -> _Fault | None:
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                return ("key_not_text", [])
            if not key.isascii():
                return ("key_not_ascii", [])
    for token, member in value.items() if isinstance(value, dict) else enumerate(value):
        fault = _fault_in(member, depth=depth + 1)
        if fault is not None:
            fault[1].append(str(token))
            return fault
    return None


def _text_fault(text: str) -> _Fault | None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return ("lone_surrogate", [])
    return None if unicodedata.is_normalized("NFC", text) else ("string_not_nfc", [])


def _foreign_fault(value: object) -> _Fault:
    if isinstance(value, _Refused):
        return (value.reason, [])
    return ("float" if isinstance(value, float) else "type_not_allowed", [])


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
