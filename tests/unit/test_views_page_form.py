"""The form of the page: self-contained, in order, and readable in both colour schemes."""

import re
from html.parser import HTMLParser

import pytest

from dagster_project.packaging.views import html_view
from tests.support.package_content import example_content

SOFT_PAIRS = [(tone, f"{tone}-soft") for tone in ("bad", "warn", "mild", "calm", "good", "hold")]
# Every pair of text and ground that the style sheet can bring together.
PAIRS = [
    *SOFT_PAIRS,
    ("ink", "paper"), ("ink", "card"), ("ink", "hold-soft"),
    ("muted", "paper"), ("muted", "card"),
    ("good", "card"), ("hold", "paper"), ("hold", "card"), ("calm", "card"),
    ("bad", "card"), ("warn", "card"), ("mild", "card"),
]  # fmt: skip
WCAG_AA = 4.5


def palettes(page: str) -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    parts = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_contrast_formula_is_the_one_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read_on_its_ground(scheme: str, text: str, ground: str) -> None:
    palette = palettes(html_view(example_content()))[scheme]
    assert contrast(palette[text], palette[ground]) >= WCAG_AA


def test_both_schemes_define_the_same_colours_and_nothing_else_has_a_colour() -> None:
    page = html_view(example_content())
    found = palettes(page)
    assert set(found["light"]) == set(found["dark"])
    assert len(re.findall(r"#[0-9a-f]{6}\b", page)) == 2 * len(found["light"])


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    page = html_view(example_content())
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert re.findall(r"<(script|link|img|iframe|object|embed|form|base)\b", page) == []
    assert re.findall(r"(?:src|href|action)\s*=|url\(|@import|\son\w+=", page) == []
    assert "http://" not in page.replace("http-equiv", "")


class Headings(HTMLParser):
    """Collects heading levels, and the ids that are named and defined."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.named: set[str] = set()
        self.language: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "html":
            self.language = values.get("lang")
        self.ids += [values["id"] or ""] if "id" in values else []
        self.named |= {values["aria-labelledby"] or ""} if "aria-labelledby" in values else set()


def test_headings_skip_no_level_and_every_part_has_its_name() -> None:
    parser = Headings()
    parser.feed(html_view(example_content()))
    assert parser.levels[0] == 1
    assert parser.levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(parser.levels, parser.levels[1:], strict=False))
    assert parser.language == "en"
    assert len(parser.ids) == len(set(parser.ids))
    assert parser.named == set(parser.ids)


def test_the_title_tells_the_state_in_one_line() -> None:
    assert "<title>Service state: Mitigating, Severity 1</title>" in html_view(example_content())


def test_every_state_has_a_shape_beside_its_words() -> None:
    page = html_view(example_content())
    chips = re.findall(r'<span class="state [^"]*">(.{4})', page)
    assert len(chips) == 9
    assert set(chips) == {"<svg"}
    assert not re.search(r"<svg[^>]*></svg>", page)
