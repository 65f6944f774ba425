"""Generated texts with labels, seeded: documented formats with drawn values in surroundings that no rule was made for.

Belongs here: the forms of values and of what stands around them, written down apart from the rules and their examples.
No value is real; checked numbers get their check digits here, by other code than the validators'.
"""

import base64
import hashlib
import json
import random
import string
from collections.abc import Callable, Mapping
from typing import Any, Final

SEED: Final = 20260
PER_TYPE: Final = 400

# # digit, ~ hexadecimal digit, @ lower-case letter, $ upper-case letter, ^ letter or digit, % lower-case letter or digit,
# & upper-case letter or digit, ! number below 256. The number in braces repeats what stands before it.
_ALPHABETS: Final = {
    "#": string.digits, "~": "0123456789abcdef", "@": string.ascii_lowercase, "$": string.ascii_uppercase,
    "^": string.ascii_letters + string.digits, "%": string.ascii_lowercase + string.digits,
    "&": string.ascii_uppercase + string.digits,
}  # fmt: skip

# Token formats that gitleaks and detect-secrets document, by maker.
_TOKENS: Final = (
    "A3-&{6}-&{11}-&{5}-&{5}-&{5}", "p8e-%{32}", "AGE-SECRET-KEY-1&{58}", "LTAI%{20}", "sk-ant-api03-^{93}AA",
    "sk-ant-admin01-^{93}AA", "AKCp^{69}", "cmVmd^{59}", "ATATT3^{186}", "AKIA&{16}", "ASIA&{16}", "^{3}7Q~^{34}",
    "4b1d^{38}", "CLOJARS_%{60}", "v1.0-~{24}-~{146}", "dapi~{32}", "dop_v1_~{64}", "doo_v1_~{64}", "dor_v1_~{64}",
    "dp.pt.^{43}", "duffel_live_%{43}", "dt0c01.&{24}.&{64}", "EZAK^{54}", "EZTK^{54}", "EAACM^{100}", "fo1_^{43}",
    "FLWSECK_TEST-~{32}-X", "fio-u-%{64}", "AIza^{35}", "ghp_^{36}", "gho_^{36}", "ghu_^{36}", "ghs_^{36}", "ghr_^{36}",
    "github_pat_^{22}_^{59}", "glpat-^{20}", "gldt-^{20}", "glft-^{20}", "glrt-^{20}", "glsoat-^{20}", "glptt-~{40}",
    "glagent-^{50}", "gloas-%{64}", "glc_^{40}", "glsa_^{32}_~{8}", "pat.^{22}.~{24}.^{20}", "^{14}.atlasv1.^{66}",
    "HRKU-AA^{58}", "hf_^{34}", "api_org_@{34}", "lin_api_%{40}", "~{32}-us1#", "^{6}_^{29}_mmk", "NRAK-&{27}",
    "NRJS-~{19}", "ntn_#{11}^{35}", "npm_%{36}", "API-&{26}", "sk-proj-^{74}T3BlbkFJ^{74}", "pplx-^{48}", "pscale_tkn_^{43}",
    "pscale_oauth_^{32}", "PMAK-~{24}-~{34}", "pnu_%{36}", "pul-~{40}", "pypi-AgEIcHlwaS5vcmc^{60}", "rdme_%{70}",
    "rubygems_~{48}", "SG.^{22}.^{43}", "xkeysib-~{64}-%{16}", "sntryu_~{64}", "sm_pat_^{16}", "shippo_live_~{40}",
    "shpat_~{32}", "shpca_~{32}", "shpss_~{32}", "xapp-1-A&{10}-#{13}-%{64}", "xoxb-#{12}-#{13}-^{24}", "xoxp-#{12}-#{12}-#{12}-~{32}",
    "xoxe-1-&{146}", "https://hooks.slack.com/services/T&{8}/B&{8}/^{24}", "sq0csp-^{43}", "EAAA^{60}", "sk_live_^{24}",
    "rk_test_^{30}", "sk_test_^{24}", "#{10}:AA^{33}", "SK~{32}", "AC~{32}", "hvs.^{95}", "s.^{24}", "sgp_~{16}_~{40}",
    "tk-us-^{48}", "YC^{38}", "t1.^{20}.^{86}", "sl.^{136}", "whsec_^{32}", "ya29.^{40}", "GOCSPX-^{28}",
)  # fmt: skip
# Keys without a mark of their own, known by what stands before them.
_NAMED: Final = (
    "{key}={value}", "{key}: {value}", '"{key}": "{value}"', "export {key}='{value}'", "<{key}>{value}</{key}>",
    "--set {key}={value}", "{key} => '{value}'", "ENV {key} {value}", "{key}:\n  {value}",
)  # fmt: skip
_NAMES: Final = (
    ("ALGOLIA_ADMIN_KEY", "%{32}"), ("datadog.api_key", "~{40}"), ("mailgun_key", "key-~{32}"), ("TWITCH_SECRET", "%{30}"),
    ("plaid-secret", "~{30}"), ("OKTA_API", "00^{40}"), ("db_password", "^{14}"), ("ADMIN_PASSWD", "^{5}!^{5}-#"),
    ("client_secret", "^{40}"), ("billing.api_key", "^{32}"), ("auth_token", "~{48}"), ("aws_secret_access_key", "^{40}"),
    ("spring.datasource.password", "^{16}"), ("REDIS_PASSWORD", "^{22}"), ("accessToken", "^{64}"), ("private_key", "^{64}"),
)  # fmt: skip
_PLACES: Final = (
    "{}", '{{"service":"relay","value":"{}"}}', "- value: {}\n- other: none", "VALUE={}\nDEBUG=1", "https://api.example.com/v1?t={}&page=2",
    "  at relay.Client.open(Client.java:42) [{}]", "Please use {} until Monday, then stop.", "| name | {} |", "'{}',", "curl https://example.org -d x={}",
    "<value>{}</value>", "INSERT INTO t VALUES (1, '{}');", "relay: got `{}` from upstream", "# was {}, now empty", "a;b;{};c", 'echo "{}" | base64',
    "\u00fcber {} \u2014 bitte", '{{\\"value\\":\\"{}\\"}}', "[2026-11-21T10:00:00Z] WARN value={} attempt=3", "(see {})",
)  # fmt: skip
_HARMLESS: Final = (
    "build 4.18.0.2 of 2026-03-04T10:11:12Z", "blk_-#{19}", "commit ~{40}", "id ~{8}-~{4}-4~{3}-a~{3}-~{12}", "took #{7} ms, 99.95 percent",
    "order 2026-11-21-#{6}", "std::vector<int>", "name_AT_version 1.2.3", "10:20:30:40", "invoice 0049 #{4} 99", "token bucket is full",
    "password reset page is slow", "sha256:~{64}", "sha512-^{86}==", 'etag "~{32}"', "2026-11-21 10:05:12,#{3}", "[21/Nov/2026:10:05:12 +0000]",
    "epoch #{13}", "lat 52.#{6}, lon 13.#{6}", "v#.1#.#.#", "trace ~{32} span ~{16}", "password: ********", "api_key=_DOLLAR_{API_KEY}", "token: <redacted>",
    "secret_name: relay-db", "Authorization: Bearer _DOLLAR_TOKEN", "key rotated at 10:05", "0x~{8}", "part no. #{3}-#{2}-#{2}", "fe:e1:de:ad", "a_AT_b", "_AT_media print",
    "import x from '_AT_scope/pkg_AT_1.2.3'", "1.2.3.4.5", "version: 10.4.2.1", "ratio 1:2:3:4:5:6", "GET /items/#{12}", "phone support is closed", "call 3 times",
    "iban missing", "card declined twice", "ssn field is empty", "user_password_hash column added", "twitter: https://example.org/relay", "jira: OPS-1234",
    "arn:aws:iam::role/relay-reader", "relay-7f9c4d5b6-x2x4z restarted", "sk-learn 1.5", "https://example.org/a/b?c=d", "base64 of nothing", "16/32/64/128",
)  # fmt: skip


class Drawing:
    """Draws values of forms from one seeded source."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - reproducible on purpose

    def of(self, form: str) -> str:
        """Fill a form."""
        made: list[str] = []
        place = 0
        while place < len(form):
            one, place = form[place], place + 1
            times = 1
            if one in _ALPHABETS and form[place : place + 1] == "{" and form[place + 1].isdigit():
                stop = form.index("}", place)
                times, place = int(form[place + 1 : stop]), stop + 1
            if one in _ALPHABETS:
                made.extend(self.draw.choices(_ALPHABETS[one], k=times))
            else:
                made.append(str(self.draw.randint(1, 254)) if one == "!" else one)
        return "".join(made).replace("_AT_", "@").replace("_DOLLAR_", "$")

    def one_of(self, *forms: str) -> str:
        """Fill one of several forms."""
        return self.of(self.draw.choice(forms))


def _with_luhn(body: str) -> str:
    total = 0
    for number, digit in enumerate(reversed(body)):
        doubled = int(digit) * 2 if number % 2 == 0 else int(digit)
        total += doubled // 10 + doubled % 10
    return body + str((10 - total % 10) % 10)


def _card(drawing: Drawing) -> str:
    prefix, length, groups = drawing.draw.choice(
        (
            ("4", 16, (4, 4, 4, 4)),
            ("52", 16, (4, 4, 4, 4)),
            ("2301", 16, (4, 4, 4, 4)),
            ("37", 15, (4, 6, 5)),
            ("6011", 16, (4, 4, 4, 4)),
        )
    )
    number = _with_luhn(prefix + drawing.of("#{%d}" % (length - 1 - len(prefix))))
    between, place, parts = drawing.draw.choice(("", " ", "-")), 0, []
    for size in groups:
        parts.append(number[place : place + size])
        place += size
    return between.join(parts)


def _iban(drawing: Drawing) -> str:
    country, form = drawing.draw.choice(
        (
            ("DE", "#{18}"),
            ("GB", "${4}#{14}"),
            ("FR", "#{10}&{11}#{2}"),
            ("NL", "${4}#{10}"),
            ("ES", "#{20}"),
            ("SE", "#{20}"),
            ("PL", "#{24}"),
            ("NO", "#{11}"),
        )
    )
    account = drawing.of(form)
    number = int("".join(str(int(one, 36)) for one in f"{account}{country}00"))
    whole = f"{country}{98 - number % 97:02d}{account}"
    return drawing.draw.choice((whole, " ".join(whole[place : place + 4] for place in range(0, len(whole), 4))))


def _bitcoin(drawing: Drawing) -> str:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    data = drawing.draw.choice((b"\x00", b"\x05")) + drawing.draw.randbytes(20)
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, made = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        made = alphabet[digit] + made
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + made


def _jwt(drawing: Drawing) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": drawing.of("#{8}"), "iat": 1790000000})
    encoded = (base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts)
    return ".".join((*encoded, drawing.of("^{43}")))


def _pem(drawing: Drawing) -> str:
    kind = drawing.draw.choice(("RSA ", "EC ", "OPENSSH ", ""))
    body = "\n".join(drawing.of("^{64}") for _ in range(6))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def _secret(drawing: Drawing) -> str:
    kind = drawing.draw.randrange(10)
    if kind == 0:
        return _jwt(drawing)
    if kind == 1:
        return _pem(drawing)
    return drawing.one_of(*_TOKENS)


_VALUES: Final[Mapping[str, Callable[[Drawing], str]]] = {
    "EMAIL_ADDRESS": lambda one: one.one_of("@{5}.@{7}_AT_@{6}.com", "@{6}+tag_AT_mail.@{5}.co.uk", "$@{4}_##_AT_@{8}.io", "@-@{4}_AT_sub-#.@{6}.example"),
    "IP_ADDRESS": lambda one: one.one_of("10.!.!.!", "87.!.!.!", "192.168.!.!/24", "2a02:~{4}:~{4}::~~", "fe80::~~~:~{4}", "2001:db8:0:0:~{4}:0:0:1", "::ffff:10.!.!.!"),
    "MAC_ADDRESS": lambda one: one.one_of("~~:~~:~~:~~:~~:~a", "~~-~~-~~-~~-~~-~b", "~{4}.~{4}.~{3}c").upper() if one.draw.random() < 0.5 else one.of("~~:~~:~~:~~:~~:~1"),  # noqa: PLR2004
    "IBAN_CODE": _iban,
    "CREDIT_CARD": _card,
    "US_SSN": lambda one: f"{one.draw.randint(1, 665):03d}{(s := one.draw.choice('- '))}{one.draw.randint(1, 99):02d}{s}{one.draw.randint(1, 9999):04d}",
    "PHONE_NUMBER": lambda one: one.one_of("+49 30 9#{7}", "+33 1 4# ## ## 7#", "+14155551###", "(415) 555-2###", "415-555-3###", "+44 (0)20 7946 0###", "212.555.4###", "+46-8-123 4# 5#", "020 7946 0###"),
    "CRYPTO": lambda one: _bitcoin(one) if one.draw.random() < 0.5 else one.of("0x~{39}a"),  # noqa: PLR2004
    "SECRET": _secret,
}  # fmt: skip


def _case(kind: str, text: str, value: str) -> dict[str, Any]:
    start = text.index(value)
    return {
        "scope": sorted(_VALUES),
        "text": text,
        "entities": [{"type": kind, "start": start, "end": start + len(value)}],
    }


def _named_secret(drawing: Drawing) -> dict[str, Any]:
    name, form = drawing.draw.choice(_NAMES)
    value = drawing.of(form)
    return _case("SECRET", drawing.draw.choice(_NAMED).format(key=name, value=value), value)


def generated_cases(seed: int = SEED) -> list[dict[str, Any]]:
    """Return labelled texts: every type in many surroundings, keys by their names, and texts with nothing to find."""
    drawing = Drawing(seed)
    cases = [_named_secret(drawing) for _ in range(PER_TYPE // 2)]
    for kind, value_of in _VALUES.items():
        for _ in range(PER_TYPE):
            value = value_of(drawing)
            cases.append(_case(kind, drawing.draw.choice(_PLACES).format(value), value))
    scope = sorted(_VALUES)
    cases += [{"scope": scope, "text": drawing.one_of(*_HARMLESS), "entities": []} for _ in range(2 * PER_TYPE)]
    return cases
