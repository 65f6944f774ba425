"""Validators of secrets: what tells a drawn token from a placeholder, a reference or a name.

Belongs here: validators as `validators` has them, for rules of secrets. Does not belong here: personal data.
"""

import base64
import json
import math
import re
from collections import Counter
from typing import Final

from dagster_project.scanning.candidates import Span, Validator, before

_PLACEHOLDER: Final = re.compile(
    r"x{4,}|\*{3,}|\.{3}|redacted|hidden|placeholder|insert[_ -]|your[_ -]|changeme|fake|dummy|sample|[<{\[]\w*[>}\]]$",
    re.IGNORECASE,
)
_REFERENCE: Final = re.compile(
    r"\$\{|\$\(|\$[A-Za-z_0-9]+$|%[sd(]|\{\{|<[^>]*>|\[\[|process\.env|os\.environ|getenv|#\{|^\$\w|^%\w+%$",
    re.IGNORECASE,
)
# Hosts, paths, versions, instants and identifiers of a project: words of letters or of digits, however they are joined.
_WORDS_AND_NUMBERS: Final = re.compile(
    r"https?:.*|(?:[A-Za-z]{1,24}|[0-9]{1,12})(?:[._/:=%+-]+(?:[A-Za-z]{1,24}|[0-9]{1,12}))*[._/:=%+-]*"
)
# A name such as `secret_length` or `credentialsId` speaks of a secret and holds none.
_NAME_OF_ANOTHER_THING: Final = re.compile(
    r"(?:name|length|size|id|file|path|url|variable|type|count|selector|chars)[\"']?\s*[:=!>]+\s*@?[\"'`]?$",
    re.IGNORECASE,
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# A call or a record of a program, such as `config.Secret{Name:`.
_CODE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+[({\[]")


def entropy(value: str) -> float:
    """Return the Shannon entropy of `value` in bits per character."""
    counts = Counter(value)
    return -sum(one / len(value) * math.log2(one / len(value)) for one in counts.values())


def token(text: str, start: int, end: int) -> Span | None:
    """A token that is no placeholder: its characters are not nearly all the same, and nothing says that it is one."""
    whole = text[start:end]
    return None if entropy(whole) < 2.6 or _masked(whole) else (start, end)  # noqa: PLR2004 - below lie XXXX and 1111


def _masked(whole: str) -> bool:
    return re.search(r"[xX]{8,}|\*{4,}|0{12,}|1{12,}|a{12,}", whole) is not None


def unmasked(text: str, start: int, end: int) -> Span | None:
    """A token of a fixed form that is not drawn with X, * or one repeated digit."""
    return None if _masked(text[start:end]) else (start, end)


def slack_token(text: str, start: int, end: int) -> Span | None:
    """A token of Slack: its last part is drawn, and so has a digit in it."""
    return mixed_token(text, start, end) if re.search("[0-9]", text[start:end].rpartition("-")[2]) else None


def mixed_token(text: str, start: int, end: int) -> Span | None:
    """A token of a form that identifiers share: it needs digits and letters of high entropy."""
    whole = text[start:end]
    if not re.search(r"\d", whole) or not re.search(r"[A-Za-z]", whole) or entropy(whole) < 3:  # noqa: PLR2004
        return None
    return token(text, start, end)


def assigned(text: str, start: int, end: int) -> Span | None:
    """A value given to a name such as `password`: no reference, no placeholder, something to read in it."""
    whole = text[start:end]
    quoted = start > 0 and text[start - 1] in "\"'`"
    if _NAME_OF_ANOTHER_THING.search(before(text, start)) or _masked(whole):
        return None
    if not re.search(r"[A-Za-z0-9]{2}|[A-Za-z0-9].*[^\w\s]", whole) or _PLACEHOLDER.search(whole):
        return None
    if _REFERENCE.search(whole) and len(set(whole)) < 24 and not re.search(r"[})\]][^})\]]", whole):  # noqa: PLR2004
        return None
    if quoted:
        return start, end
    if _CODE.match(whole):
        return None
    ordinary = re.fullmatch(r"[A-Za-z][A-Za-z ._\-()/:;,\[\]]*|true|false|null|none|0|1", whole, re.IGNORECASE)
    strict = re.search(r"(?:pass|pwd|passwd|password)\w* ?=? ?$", before(text, start), re.IGNORECASE)
    short_plain = re.fullmatch(r"[a-z]{5,}", whole) and strict and "=" in before(text, start)[-3:]
    return None if ordinary and not short_plain else (start, end)


def assigned_long(text: str, start: int, end: int) -> Span | None:
    """A value of six characters or more that follows a name such as `password` without any sign between."""
    return assigned(text, start, end) if end - start >= 6 else None  # noqa: PLR2004 - said above


def service_key(text: str, start: int, end: int) -> Span | None:
    """A value after the name of a service that is one drawn token: letters with digits, or a long number."""
    whole = text[start:end]
    if _masked(whole) or _PLACEHOLDER.search(whole) or _WORDS_AND_NUMBERS.fullmatch(whole):
        return None
    if whole.isdigit():
        return (start, end) if 15 <= len(whole) <= 20 else None  # noqa: PLR2004 - ids of applications
    mixed = re.search("[0-9]", whole) and re.search("[A-Za-z]", whole)
    return (start, end) if mixed and entropy(whole) >= 3 else None  # noqa: PLR2004 - as mixed_token


def drawn_value(text: str, start: int, end: int) -> Span | None:
    """A drawn token after a name that speaks of a secret itself, and not of its id or place; no UUID."""
    if _NAME_OF_ANOTHER_THING.search(before(text, start)) or _UUID.fullmatch(text[start:end]):
        return None
    return service_key(text, start, end)


def credentials(text: str, start: int, end: int) -> Span | None:
    """`user:password` as given to a program: no reference to a variable, no placeholder, not the same word twice."""
    whole = text[start:end].strip("\"'")
    user, _, password = whole.partition(":")
    if re.search(r"(?:^|[:\"'])\$|\$[{(]|<|\{\{|%\w+%", whole) or not (password or user):
        return None
    plain = {one.strip("\"'{}") for one in (user, password)}
    return None if len(plain) == 1 or plain <= {"xxx", "yyy", "XXX"} else (start, end)


def header_value(text: str, start: int, end: int) -> Span | None:
    """The value of a header that carries authority: no reference and no placeholder."""
    whole = text[start:end]
    if _REFERENCE.search(whole) or _masked(whole) or re.search(r"[<{$]", whole):
        return None
    return start, end


def jwt(text: str, start: int, end: int) -> Span | None:
    """A JSON Web Token: header and claims decode to JSON objects."""
    for part in text[start:end].split(".")[:2]:
        try:
            decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except ValueError:
            return None
        if not isinstance(decoded, dict):
            return None
    return start, end


SECRET_VALIDATORS: Final[tuple[Validator, ...]] = (
    token, unmasked, mixed_token, slack_token, assigned, assigned_long, service_key, drawn_value, credentials,
    header_value, jwt,
)  # fmt: skip
