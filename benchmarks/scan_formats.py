"""Generated texts with labels, seeded: documented formats with drawn values in surroundings that no rule was made for.

Belongs here: how values are drawn from the forms of `scan_formats.yaml`, which are written down apart from the rules
and their examples. No value is real; numbers get their check digits here, by other code than the validators'.
"""

import base64
import hashlib
import json
import random
import string
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

import yaml

SEED: Final = 20260
PER_TYPE: Final = 400
_ALPHABETS: Final = {
    "#": string.digits,
    "~": "0123456789abcdef",
    "@": string.ascii_lowercase,
    "$": string.ascii_uppercase,
    "^": string.ascii_letters + string.digits,
    "%": string.ascii_lowercase + string.digits,
    "&": string.ascii_uppercase + string.digits,
}
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Drawing:
    """Draws values of forms from one seeded source."""

    def __init__(self, seed: int) -> None:
        self.draw: Final = random.Random(seed)  # noqa: S311 - reproducible on purpose
        data = (resources.files("benchmarks") / "scan_formats.yaml").read_text(encoding="utf-8")
        self.forms: Final[Mapping[str, Sequence[Any]]] = yaml.safe_load(data)

    def fill(self, form: str) -> str:
        """Fill a form."""
        made: list[str] = []
        place = 0
        while place < len(form):
            one, place, times = form[place], place + 1, 1
            if one in _ALPHABETS and form[place : place + 1] == "{" and form[place + 1].isdigit():
                stop = form.index("}", place)
                times, place = int(form[place + 1 : stop]), stop + 1
            if one in _ALPHABETS:
                made.extend(self.draw.choices(_ALPHABETS[one], k=times))
            else:
                made.append(str(self.draw.randint(1, 254)) if one == "!" else one)
        return "".join(made).replace("_AT_", "@").replace("_DOLLAR_", "$")

    def choice(self, kind: str) -> Any:  # noqa: ANN401 - as the data has it
        """Return one of the forms of a kind."""
        return self.draw.choice(self.forms[kind])

    def filled(self, kind: str) -> str:
        """Fill one of the forms of a kind."""
        return self.fill(self.choice(kind))


def _card(drawing: Drawing) -> str:
    prefix, length, groups = drawing.choice("cards")
    body = prefix + "".join(drawing.draw.choices(string.digits, k=length - 1 - len(prefix)))
    doubled = (int(one) * 2 if place % 2 == 0 else int(one) for place, one in enumerate(reversed(body)))
    number = body + str(-sum(one // 10 + one % 10 for one in doubled) % 10)
    parts, place = [], 0
    for size in groups:
        parts.append(number[place : place + size])
        place += size
    return drawing.draw.choice(("", " ", "-")).join(parts)


def _iban(drawing: Drawing) -> str:
    country, form = drawing.choice("accounts")
    account = drawing.fill(form)
    number = int("".join(str(int(one, 36)) for one in f"{account}{country}00"))
    whole = f"{country}{98 - number % 97:02d}{account}"
    return str(drawing.draw.choice((whole, " ".join(whole[place : place + 4] for place in range(0, len(whole), 4)))))


def _social_security_number(drawing: Drawing) -> str:
    draw = drawing.draw
    parts = (f"{draw.randint(1, 665):03d}", f"{draw.randint(1, 99):02d}", f"{draw.randint(1, 9999):04d}")
    return draw.choice("- ").join(parts)


def _crypto(drawing: Drawing) -> str:
    if drawing.draw.randrange(2):
        return drawing.fill("0x~{39}a")
    data = drawing.draw.choice((b"\x00", b"\x05")) + drawing.draw.randbytes(20)
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, made = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        made = _BASE58[digit] + made
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + made


def _web_token(drawing: Drawing) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": drawing.fill("#{8}"), "iat": 1790000000})
    encoded = (base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts)
    return ".".join((*encoded, drawing.fill("^{43}")))


def _private_key(drawing: Drawing) -> str:
    kind = drawing.draw.choice(("RSA ", "EC ", "OPENSSH ", ""))
    body = "\n".join(drawing.fill("^{64}") for _ in range(6))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def _secret(drawing: Drawing) -> str:
    kind = drawing.draw.randrange(10)
    if kind > 1:
        return drawing.filled("tokens")
    return _private_key(drawing) if kind else _web_token(drawing)


def _hardware(drawing: Drawing) -> str:
    value = drawing.filled("hardware")
    return drawing.draw.choice((value, value.upper()))


_VALUES: Final[Mapping[str, Callable[[Drawing], str]]] = {
    "EMAIL_ADDRESS": lambda drawing: drawing.filled("emails"),
    "IP_ADDRESS": lambda drawing: drawing.filled("addresses"),
    "MAC_ADDRESS": _hardware,
    "IBAN_CODE": _iban,
    "CREDIT_CARD": _card,
    "US_SSN": _social_security_number,
    "PHONE_NUMBER": lambda drawing: drawing.filled("telephones"),
    "CRYPTO": _crypto,
    "SECRET": _secret,
}


def _case(kind: str, text: str, value: str) -> dict[str, Any]:
    start = text.index(value)
    entities = [{"type": kind, "start": start, "end": start + len(value)}]
    return {"scope": sorted(_VALUES), "text": text, "entities": entities}


def _named_secret(drawing: Drawing) -> dict[str, Any]:
    name, form = drawing.choice("names")
    value = drawing.fill(form)
    return _case("SECRET", drawing.choice("named").format(key=name, value=value), value)


def generated_cases(seed: int = SEED, *, per_type: int = PER_TYPE) -> list[dict[str, Any]]:
    """Return labelled texts: every type in many surroundings, keys by their names, and texts with nothing to find."""
    drawing = Drawing(seed)
    cases = [_named_secret(drawing) for _ in range(per_type // 2)]
    for kind, value_of in _VALUES.items():
        for _ in range(per_type):
            value = value_of(drawing)
            cases.append(_case(kind, drawing.choice("places").format(value), value))
    harmless = (drawing.filled("harmless") for _ in range(2 * per_type))
    return cases + [{"scope": sorted(_VALUES), "text": text, "entities": []} for text in harmless]
