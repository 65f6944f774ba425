"""Validators: what a pattern alone cannot say, such as check digits and ranges. Those of secrets have a module apart.

A validator gets the text and the span of a candidate and returns the span of the finding, or None. Tables of
numbering bodies are data here: IBAN lengths (SWIFT IBAN registry), issuer ranges (ISO/IEC 7812), areas that the US
Social Security Administration never assigns.
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from dagster_project.scanning.candidates import Span, Validator, before
from dagster_project.scanning.secret_validators import SECRET_VALIDATORS

_IBAN_TABLE: Final = (
    "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 "
    "DE:22 DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 "
    "GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 "
    "LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 "
    "PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 "
    "SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30 "
)
_IBAN_LENGTHS: Final = {one[:2]: int(one[3:]) for one in _IBAN_TABLE.split()}
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_VERSION_ENDS: Final = frozenset('nedrv.-NEDRV :="')
_VERSION_WORDS: Final = ("version", "release", "build", "rev", "firmware")
_VERSION_LETTERS: Final = re.compile(r"\b(?:v|ver\.?)$")
_CARD_WORD: Final = re.compile(r"\b(?:card|credit|debit|visa|mastercard|amex|pan|ccn?)\b", re.IGNORECASE)
_SSN_SAMPLES: Final = frozenset({"078051120", "219099999", "123456789", "457555462"})
_PHONE_WORD: Final = re.compile(
    r"\b(?:phone|tel|telephone|call|calling|mobile|cell|fax|ring|dial|hotline|whatsapp|sms)\b|telefon|handy|number is",
    re.IGNORECASE,
)
_FILE_ENDINGS: Final = frozenset(
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "json", "html", "service", "timer"]
)
_PORT: Final = re.compile(r":[0-9]{1,5}(?![\w.])")
_NEAR: Final = 16
# First numbers of addresses of which some are not public (IANA special-purpose registry).
_NOT_ALL_PUBLIC: Final = ("0.", "10.", "100.", "127.", "169.", "172.", "192.", "198.", "203.", "22", "23", "24", "25")


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def luhn(digits: str) -> bool:
    """Return whether a string of digits has the check digit of ISO/IEC 7812."""
    doubled = (int(one) * 2 for one in digits[-2::-2])
    return (sum(int(one) for one in digits[-1::-2]) + sum(one - 9 if one > 9 else one for one in doubled)) % 10 == 0  # noqa: PLR2004 - the method's own figures


def _issuer(digits: str) -> bool:
    lengths = {"3": (14, 19), "4": (13, 19), "5": (12, 19), "6": (12, 19), "2": (15, 16), "1": (15, 15)}.get(digits[0])
    if lengths is None or not lengths[0] <= len(digits) <= lengths[1]:
        return False
    if digits[0] == "3":
        return digits[1] in "045678"
    if digits[0] == "2":
        return "2221" <= digits[:4] <= "2720" or digits[:4] in ("2014", "2149", "2200", "2201", "2202", "2203", "2204")
    return True


def card(text: str, start: int, end: int) -> Span | None:
    """A payment card: issuer range, Luhn, no repetition; a bare 17 to 19 digits is an id unless a card is named."""
    digits = _digits(text[start:end])
    if len(set(digits)) == 1 or not _issuer(digits) or not luhn(digits):
        return None
    bare = end - start == len(digits)
    if bare and len(digits) not in (14, 15, 16) and not _CARD_WORD.search(before(text, start)):
        return None
    return start, end


def iban(text: str, start: int, end: int) -> Span | None:
    """An IBAN: the length of its country, one case, ISO 7064 mod 97-10. A match that runs on is cut at that length."""
    compact, stop = "", start
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return None
    while stop < end and len(compact) < length:
        compact += text[stop] if text[stop].isalnum() else ""
        stop += 1
    if len(compact) != length or (stop < len(text) and text[stop].isalnum()):
        return None
    if compact not in (compact.upper(), compact.lower()):
        return None
    moved = (compact[4:] + compact[:4]).upper()
    return (start, stop) if int("".join(str(int(one, 36)) for one in moved)) % 97 == 1 else None


def us_ssn(text: str, start: int, end: int) -> Span | None:
    """A US social security number: assigned areas, no zero group, none of the numbers printed as samples."""
    digits = _digits(text[start:end])
    separators = set(re.sub(r"\d", "", text[start:end]))
    if len(separators) > 1 or digits in _SSN_SAMPLES or digits[0] == "9" or digits[:3] in ("000", "666"):
        return None
    if digits[3:5] == "00" or digits[5:] == "0000":
        return None
    if not separators and not re.search(r"ssn|social.security", before(text, start), re.IGNORECASE):
        return None
    return start, end


def _is_version(text: str, start: int) -> bool:
    """Tell whether the word before a dotted number makes it a version; a private address after a dash is none."""
    if text[start - 2 : start - 1] not in _VERSION_ENDS and text[start - 1 : start] == " ":
        return False
    word = text[max(0, start - _NEAR) : start].rstrip(' :="')
    if not word or word[-1] not in _VERSION_ENDS:
        return False
    if word[-1] == "-":
        return word[-2:-1].isalnum() and not text.startswith(("10.", "192.168."), start)
    word = word.lower()
    return word.endswith(_VERSION_WORDS) or _VERSION_LETTERS.search(word[-5:]) is not None


def _ipv4(text: str, start: int, end: int) -> Span | None:
    if text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit():
        return None
    return None if _is_version(text, start) else (start, end)


def ip(text: str, start: int, end: int) -> Span | None:
    """An IP address, with its zone or prefix length; a dotted version number after its word is none.

    The pattern of an IPv4 address says all of its form.
    """
    whole = text[start:end]
    if ":" not in whole:
        return _ipv4(text, start, end)
    address, slash, prefix = whole.partition("/")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit():
        return None
    fits = slash and prefix.isdigit() and int(prefix) <= parsed.max_prefixlen
    return (start, end) if fits else (start, start + len(address))


def ip_dashed(text: str, start: int, end: int) -> Span | None:
    """An IPv4 address written with dashes or underscores, as in host names: private, or after `ip`, `dhcp` and such."""
    try:
        parsed = ipaddress.IPv4Address(re.sub("[-_]", ".", text[start:end]))
    except ValueError:
        return None
    if text[start - 1 : start].isalnum() and re.match(r"[-_][0-9A-Fa-f]{2}(?![0-9A-Za-z])", text[end : end + 4]):
        return None  # part of a hardware address
    named = re.search(
        r"(?:ip|dhcp|host|node|static|dyn|addr|ec2|client|pool|vm)[-_]$", before(text, start), re.IGNORECASE
    )
    return (start, end) if named or parsed.is_private else None


def ip_public(text: str, start: int, end: int) -> Span | None:
    """A public IPv4 address, with its port where one stands there."""
    if text.startswith(("10.", "192.168.", "127."), start):
        return None
    found = _ipv4(text, start, end)
    if found is None:
        return None
    if text.startswith(_NOT_ALL_PUBLIC, start):
        parsed = ipaddress.ip_address(text[start:end].partition("/")[0])
        if not parsed.is_global or parsed.is_multicast:
            return None
    port = _PORT.match(text, found[1])
    return (start, port.end()) if port else found


def mac(text: str, start: int, end: int) -> Span | None:
    """A hardware address with one kind of separator, neither all zeros nor all ones."""
    whole = text[start:end].lower()
    digits = re.sub("[^0-9a-f]", "", whole)
    if len(set(re.sub("[0-9a-f]", "", whole))) != 1 or set(digits) in ({"0"}, {"f"}):
        return None
    return start, end


def email(text: str, start: int, end: int) -> Span | None:
    """A mail address whose last label can be a top-level domain, and not a file or a package version."""
    start += text[start:end].startswith("'")  # a quoting mark rather than a part of the name
    local, _, domain = text[start:end].rpartition("@")
    labels = domain.split(".")
    if ".." in local or local.startswith(".") or local.endswith("."):
        return None
    if labels[-1].lower() in _FILE_ENDINGS:
        return None
    return None if any(one.startswith("-") or one.endswith("-") for one in labels) else (start, end)


def phone(text: str, start: int, end: int) -> Span | None:
    """A telephone number of 7 to 15 digits: international, North American, or national after a word that says so."""
    whole, digits = text[start:end], _digits(text[start:end])
    if len(set(digits)) < 3 or not 7 <= len(digits) <= 15:  # noqa: PLR2004 - E.164
        return None
    named = _PHONE_WORD.search(before(text, start))
    if re.fullmatch(r"(?:19|20)\d\d[-/. ]\d\d[-/. ]\d\d(?:\D.*)?|\d\d?[-. ]\d\d?[-. ](?:19|20)\d\d", whole):
        return None
    if whole.startswith("+"):
        return (start, end) if len(digits) >= 8 and digits[0] != "0" else None  # noqa: PLR2004
    if re.fullmatch(r"(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}(?: ?(?:x|ext\.?) ?\d+)?", whole):
        return start, end
    grouped = re.fullmatch(r"\(?0\d{1,4}\)?[- ]\d{2,4}[- ]\d{3,4}", whole)
    return (start, end) if named or grouped else None


def _base58_bytes(whole: str) -> bytes | None:
    number = 0
    for one in whole:
        place = _BASE58.find(one)
        if place < 0:
            return None
        number = number * 58 + place
    zeros = len(whole) - len(whole.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58check(text: str, start: int, end: int) -> Span | None:
    """A crypto address in Base58Check: one version byte, 20 bytes, 4 bytes of a double SHA-256."""
    data = _base58_bytes(text[start:end])
    if data is None or len(data) != 25:  # noqa: PLR2004 - said above
        return None
    check = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4]
    return (start, end) if check == data[-4:] else None


def bech32(text: str, start: int, end: int) -> Span | None:
    """A crypto address in Bech32 or Bech32m (BIP 173, BIP 350)."""
    whole = text[start:end]
    if whole not in (whole.lower(), whole.upper()):
        return None
    name, _, data = whole.lower().rpartition("1")
    values = [ord(one) >> 5 for one in name] + [0] + [ord(one) & 31 for one in name]
    values += [_BECH32.find(one) for one in data]
    if -1 in values:
        return None
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_BECH32_GENERATORS):
            check ^= generator if top >> place & 1 else 0
    return (start, end) if check in (1, 0x2BC830A3) else None


VALIDATORS: Final[Mapping[str, Validator]] = {
    one.__name__: one
    for one in (
        card, iban, us_ssn, ip, ip_dashed, ip_public, mac, email, phone, base58check, bech32, *SECRET_VALIDATORS,
    )
}  # fmt: skip
