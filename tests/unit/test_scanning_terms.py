"""Terms: what counts as a term in a text, which names of an incident become terms, and that a block beats an allow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.scanning.deny_list import terms_of
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.preselection import HyperscanPreselector, LiteralPreselector, Preselector
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.terms import Terms
from tests.support.histories import after

ENGINES: list[type[LiteralPreselector | HyperscanPreselector]] = [LiteralPreselector, HyperscanPreselector]
RULE = Rule(
    id="R", type="NAME", what="", why="", source="", pattern="[a-z]+@[a-z]+", positives=("a@b",), negatives=("a",)
)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Preselector:
    if request.param is HyperscanPreselector:
        pytest.importorskip("hyperscan")
    made: Preselector = request.param([RULE])
    return made


def spans(engine: Preselector, terms: Terms, text: str) -> list[str]:
    scanner = Scanner(engine, key=b"k" * 32, terms=terms)
    return [text[one.start : one.end] for one in scanner.scan(text) if one.type == "DENIED_TERM"]


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("on mx-relay 07, since noon", "mx-relay 07"),
        ("MX_RELAY07", "MX_RELAY07"),
        ("mxrelay-07-eu", "mxrelay-07"),
        ("db7mx.relay.07", "mx.relay.07"),
        ("mx -- relay\n07", "mx -- relay\n07"),
        ("m x r e l a y 0 7", "m x r e l a y 0 7"),
        ("mx\u2013relay07", "mx\u2013relay07"),
        ("mx\u200brelay07", "mx\u200brelay07"),
        ("mx%2Drelay07", "mx%2Drelay07"),
        ("m\u0445relay07", "m\u0445relay07"),
        ("\uff4dxrelay07", "\uff4dxrelay07"),
        ("axmxrelay07", None),
        ("mxrelay071", None),
        ("mx ----- relay07", None),
        ("mx relay", None),
    ],
)
def test_a_term_is_found_as_whole_words_whatever_separates_them(
    engine: Preselector, text: str, hit: str | None
) -> None:
    terms = Terms.of({"host": ["Mx Relay-07"]})
    assert spans(engine, terms, f"({text})") == ([hit] if hit else [])


def test_words_of_other_scripts_are_terms_too(engine: Preselector) -> None:
    terms = Terms.of(
        {"vendor": ["M\u00fcller GmbH", "\u6771\u4eac\u652f\u5e97", "\u0412\u0435\u043a\u0442\u043e\u0440"]}
    )
    text = "at M\u00dcLLER-gmbh, \u6771\u4eac\u652f\u5e97 and \u0412\u0415\u041a\u0422\u041e\u0420; not Moller GmbH"
    assert spans(engine, terms, text) == [
        "M\u00dcLLER-gmbh",
        "\u6771\u4eac\u652f\u5e97",
        "\u0412\u0415\u041a\u0422\u041e\u0420",
    ]


def test_an_address_is_found_with_dashes_and_as_part_of_a_host_name(engine: Preselector) -> None:
    terms = Terms.of({"host": ["10.20.30.40"]})
    assert spans(engine, terms, "ip-10-20-30-40.local and 10.20.30.401") == ["10-20-30-40"]


def test_approved_names_come_off_what_was_derived_but_not_off_what_is_always_denied() -> None:
    terms = Terms.of({"vendor": ["Acme Cloud", "Orion", "xy"]}, approved=["acme-cloud", "Vega"], always=["Vega"])
    assert dict(terms.denied) == {"orion": "vendor", "vega": "term"}
    assert (terms.approved_away, terms.unsearchable) == (1, 1)


def test_an_approved_name_takes_a_finding_away_and_is_counted_unless_something_denied_is_in_it(
    engine: Preselector,
) -> None:
    terms = Terms.of({"vendor": ["orion"]}, approved=["help@acme", "orion@acme"])
    examined = Scanner(engine, key=b"k" * 32, terms=terms).examine("help@acme or orion@acme or me@acme")
    assert [(one.start, one.type) for one in examined.findings] == [
        (13, "NAME"), (13, "DENIED_TERM"), (27, "NAME"),
    ]  # fmt: skip
    assert examined.suppressed == {"R": 1}


@settings(deadline=None)  # a list of terms is compiled for every example
@given(
    st.lists(st.text("ab1\u00fc", min_size=3, max_size=5), max_size=6),
    st.text("aAb1-\n \u00fc\u00dc\u4e00", max_size=60),
)
def test_both_engines_find_the_same_terms(engine: Preselector, names: list[str], text: str) -> None:
    terms = Terms.of({"name": names})
    other = LiteralPreselector([RULE])
    assert Scanner(engine, key=b"k" * 32, terms=terms).scan(text) == Scanner(other, key=b"k" * 32, terms=terms).scan(
        text
    )


def test_another_list_takes_the_place_of_the_first_one(engine: Preselector) -> None:
    scanner = Scanner(engine, key=b"k" * 32, terms=Terms.of({"host": ["alpha"]}))
    text = "alpha and omega"
    assert [one.start for one in scanner.scan(text)] == [0]
    assert [one.start for one in scanner.with_terms(Terms.of({"host": ["omega"]})).scan(text)] == [10]


def test_names_of_an_incident_are_denied_by_kind_and_those_of_its_own_account_are_not() -> None:
    snapshot = after(9).snapshot
    records = (*snapshot.heads, *snapshot.earlier)
    terms = terms_of(records, approved=["relay"], denied_terms=["relay"], account="HARBOURLINE")
    assert {"component", "vendor", "person", "tenant", "annex"} <= set(terms.denied.values())
    assert "harbourline" not in terms.denied
    assert terms.denied["tidewater"] == "tenant"
    assert terms.denied["relay"] == "term"
    hosts = [one.data["host"] for one in records if "host" in one.data]
    text = f"on {hosts[0].upper().replace('-', '_')} again"
    assert spans(LiteralPreselector([RULE]), terms, text)
