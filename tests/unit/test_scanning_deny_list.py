"""Deny lists: how text is folded, and which names in an incident's records become denied terms."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.scanning.deny_list import DenyList, NamesInRecords, deny_list_of, names_in_records, normalise
from tests.support.histories import after


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_text_is_folded_as_any_other_text_is(text: str) -> None:
    assert normalise(text) == re.sub("[^0-9a-z]+", "", unicodedata.normalize("NFKC", text).casefold())


@pytest.mark.parametrize("text", ["Mx-Relay 07", "mx_relay07", "MX\u2011RELAY\u00a007", "\uff4d\uff58relay-07"])
def test_variants_of_a_name_are_one_term(text: str) -> None:
    assert normalise(text) == "mxrelay07"
    assert DenyList(frozenset({"mxrelay07"})).hits(f"on {text}, since noon") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("\u6771\u4eac", "via \u6771\u4eac-7"),
        ("\u0421\u0435\u0432\u0435\u0440\u043d\u044b\u0439", "\u0421\u0415\u0412\u0415\u0420\u041d\u042b\u0419 1"),
        ("Na\u00efve Hosting", "NAI\u0308VE-hosting"),
        ("relay-07", "r\u0435lay\u200b-07"),  # a Cyrillic letter, and a space that is not seen
    ],
)
def test_a_name_in_any_script_is_denied_however_it_is_written(name: str, text: str) -> None:
    terms = deny_list_of(NamesInRecords(frozenset({normalise(name)}), {}), approved={}, denied_terms=(), account="A")
    assert terms.hits(text) == 1
    assert terms.hits("KB-1842") == 0


def test_a_host_is_denied_by_its_first_label_too_and_an_account_to_every_other_account() -> None:
    snapshot = after(9).snapshot
    names = names_in_records((*snapshot.heads, *snapshot.earlier))
    hosts = {one.data["host"] for one in snapshot.heads if one.data.get("host", "").count(".") >= 2}
    assert hosts
    assert {normalise(host) for host in hosts} | {normalise(host.split(".")[0]) for host in hosts} <= names.internal
    for account in ("HARBOURLINE", "TIDEWATER"):
        terms = deny_list_of(names, approved={}, denied_terms=(), account=account).terms
        others = {normalise(one) for one in names.by_account if one != account}
        assert others
        assert others <= terms
        assert normalise(account) not in terms
