"""What the views say, and that no value becomes markup in any of them."""

import re
from itertools import chain
from typing import Any

import pytest
from markdown_it import MarkdownIt

from dagster_project.packaging.views import html_view, markdown_view, text_view, views_of
from tests.support.package_content import example_content
from tests.support.shown_words import seen, words_of

HOSTILE = (
    "<script>fetch('http://h.example/')</script>",
    "![a](http://h.example/p.png) [x](http://h.example) **b** _i_ `c` | d | ~~e~~ &lt; &#60;",
    "# heading\n\n- item\n\n| a | b |\n| - | - |\n\n---\n```\ncode",
    "- 1. > \"quoted\" 'single' <http://h.example> http://h.example www.h.example $x$",
    "{{ page }} {reference} {% if 1 %} {0.__class__}",
    "ab\u202egnp.exe\u2028next\x00\x1b[31mred",
)


def hostile_content(value: str) -> dict[str, Any]:
    content = example_content()
    content["names"] = dict.fromkeys(content["names"], value)
    content["statements"]["k3v9q2m7xa"]["parameters"]["reference"] = value
    content["statements"]["listed"] = {
        "template": "dependency_involved",
        "text": "Services of {public_names} are involved.",
        "parameters": {"public_names": [value, value]},
    }
    return content


def test_equal_content_gives_equal_bytes_whatever_the_order_of_its_keys() -> None:
    content = example_content()
    turned = {key: content[key] for key in reversed(content)}
    turned["affected_capabilities"] = dict(reversed(content["affected_capabilities"].items()))
    turned["held"] = dict(reversed(content["held"].items()))
    turned["timeline"] = dict(reversed(content["timeline"].items()))
    assert views_of(content) == views_of(turned)
    assert set(views_of(content)) == {"package.html", "package.md", "package.txt"}


def test_making_views_leaves_the_content_as_it_was() -> None:
    content = example_content()
    views_of(content)
    assert content == example_content()


FACTS = (
    "Mitigating",
    "Severity 1",
    "Message delivery",
    "Major outage",
    "North America",
    "Degraded",
    "Recovered",
    "10:40 UTC, 4 March 2026",
    "Being assessed",
    "Admin console",
    "Available and verified",
    "Dependency",
    "On hold: we cannot share this yet",
    "In review",
    "Security decides",
    "Incident command decides",
    "Start time of Inbox API",
    "Incident detected",
    "09:02 UTC, 4 March 2026",
    "A step on hold: we cannot share this yet",
    "TLP:AMBER+STRICT",
    "For your organisation only.",
)


@pytest.mark.parametrize("fact", FACTS)
def test_every_view_states_the_same_fact(fact: str) -> None:
    # writing rule M12
    content = example_content()
    plain_markdown = words_of(MarkdownIt("commonmark").enable("table").render(markdown_view(content)))
    for view in (words_of(html_view(content)), plain_markdown, " ".join(text_view(content).split())):
        assert fact.lower() in view.lower().replace("on hold: in review", "in review").replace(" ,", ",")


def test_slots_with_nothing_on_hold_are_one_quiet_line() -> None:
    assert "Nothing is on hold for: contract and internal component." in text_view(example_content())
    assert "Nothing is on hold for: contract, internal component." in words_of(html_view(example_content()))


def test_every_slot_is_named_in_whatever_state_it_is() -> None:
    for state in ("none_declared", "on_hold", "in_review", "cleared"):
        content = example_content()
        for slot in content["held"].values():
            slot |= {"slot_state": state, "fields": []}
        for view in (words_of(html_view(content)), text_view(content)):
            for name in ("contract", "dependency", "security detail", "internal component", "other detail"):
                assert name in view.lower(), (state, name)


def test_a_slot_that_fields_wait_for_is_shown_whatever_its_state_says() -> None:
    content = example_content()
    content["held"]["contract"] |= {"slot_state": "cleared", "fields": ["/severity_code"]}
    assert "Contract: Cleared to share. Legal decides. Fields on hold: Severity." in text_view(content)
    assert "Cleared to share: contract" not in text_view(content)


def test_a_part_with_more_on_hold_than_its_leaves_says_so() -> None:
    content = example_content()
    content["held"]["other"]["fields"] = ["/affected_capabilities", "/timeline", "/workarounds", "/statements"]
    assert text_view(content).count("There is more here that is on hold.") == 4
    assert words_of(html_view(content)).count("There is more here that is on hold.") == 4


def test_a_status_that_is_on_hold_without_a_leaf_is_shown_as_on_hold() -> None:
    content = example_content()
    del content["incident_status"]
    content["held"]["other"]["fields"].append("/incident_status")
    assert text_view(content).splitlines()[2].startswith("Status on hold | Severity 1")


def test_what_the_contract_does_not_permit_leaves_a_page_that_stands() -> None:
    content = example_content()
    for name in ("incident_status", "severity_code", "document_status"):
        del content[name]
    content["affected_capabilities"] = {"message-delivery": {"regions": {"europe": "degraded"}}}
    content |= {"workarounds": {}, "timeline": {}, "statements": {}, "not_affected": {}}
    assert "not stated" in text_view(content)
    assert "Not stated" in words_of(html_view(content))


def test_the_worst_capability_is_read_first() -> None:
    text = text_view(example_content())
    assert text.index("Message delivery:") < text.index("Inbox API:") < text.index("Event webhooks:")


def test_a_value_on_hold_is_marked_inside_its_sentence() -> None:
    content = example_content()
    content["statements"]["k3v9q2m7xa"]["parameters"]["reference"] = "on_hold"
    assert "The steps are in help article [on hold]." in text_view(content)


def test_a_parameter_that_is_listed_as_held_never_shows_its_value() -> None:
    content = example_content()
    content["held"]["other"]["fields"].append("/statements/k3v9q2m7xa/parameters/reference")
    assert all(b"KB-1842" not in view for view in views_of(content).values())


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_adds_an_element_or_an_attribute_to_the_page(value: str) -> None:
    harmless, hostile = seen(html_view(hostile_content("calm"))), seen(html_view(hostile_content(value)))
    assert hostile.elements == harmless.elements
    assert hostile.attributes == harmless.attributes


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_adds_structure_to_the_markdown(value: str) -> None:
    def shape(content: dict[str, Any]) -> list[str]:
        parser = MarkdownIt("gfm-like", {"linkify": False, "html": True})
        tokens = parser.parse(markdown_view(content))
        kinds = chain.from_iterable((token, *(token.children or ())) for token in tokens)
        return [kind.type for kind in kinds if kind.type not in {"text", "text_special"}]

    assert shape(hostile_content(value)) == shape(hostile_content("calm"))


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_breaks_a_line_or_turns_its_direction(value: str) -> None:
    text = text_view(hostile_content(value))
    assert len(text.splitlines()) == len(text_view(hostile_content("calm")).splitlines())
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u2029\u202a-\u202e]", text)


def test_a_value_that_looks_like_a_template_stays_text() -> None:
    content = example_content()
    content["statements"]["k3v9q2m7xa"]["parameters"] |= {"reference": "{minutes}", "minutes": 99}
    assert "The steps are in help article {minutes}." in text_view(content)


def test_times_have_a_form_for_machines() -> None:
    times = [value for name, value in seen(html_view(example_content())).attributes if name == "datetime"]
    assert times == ["2026-03-04T09:02:00Z", "2026-03-04T10:40:00Z", "2026-03-04T09:02:00Z"]
