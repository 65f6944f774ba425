"""Views: the page of a package, made from its content alone.

Belongs here: package content as HTML, Markdown and plain text. Nothing but the content may enter: no clock, no
identifiers from elsewhere, no chance; equal content gives equal bytes (invariant I6). What the views say is
`view_page`, in the words of `view_wording`; here is only how each form writes it down, and how it keeps a value from
becoming markup.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Final

import jinja2
import msgspec

from dagster_project.packaging import view_wording as words
from dagster_project.packaging.header import Header, header_lines
from dagster_project.packaging.view_page import Page, Phrase, State, listed, page_of

_TITLE: Final = "Service state"
_NOT_STATED: Final = "not stated"
# Every character by which a value could become markup in CommonMark or GitHub's Markdown, autolinks included.
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#+.!|~&:@/=^$\"']|^-)")

Escape = Callable[[str], str]


def html_view(content: dict[str, Any]) -> str:
    """Return the package as one self-contained page: no script, no request, no font or picture from elsewhere.

    Raises:
        UnsafeOrRejected: the content has a code that the views have no words for, or cannot be read at all.
        UsageError: an instant that cannot be read.
    """
    return _html(page_of(content))


def markdown_view(content: dict[str, Any]) -> str:
    """Return the package as Markdown, in which no value is markup.

    Raises:
        UnsafeOrRejected, UsageError: as `html_view`.
    """
    return _markdown(page_of(content))


def text_view(content: dict[str, Any]) -> str:
    """Return the package as plain text, one fact to a line.

    Raises:
        UnsafeOrRejected, UsageError: as `html_view`.
    """
    return _text(page_of(content))


def views_of(content: dict[str, Any]) -> dict[str, bytes]:
    """Return every view of a package by file name; equal content gives equal bytes.

    Total over what the contract (`content_schema`) allows: all views, or an error of ours for content that it refuses.

    Raises:
        UnsafeOrRejected, UsageError: as `html_view`.
    """
    return _written(page_of(content))


def released_views_of(content: dict[str, Any], header: Header) -> dict[str, bytes]:
    """Return every view of a released package by file name: what `views_of` shows, and which version it is.

    Raises:
        UnsafeOrRejected, UsageError: as `html_view`.
    """
    return _written(msgspec.structs.replace(page_of(content), version_lines=header_lines(header)))


def _written(page: Page) -> dict[str, bytes]:
    return {
        "package.html": _html(page).encode(),
        "package.md": _markdown(page).encode(),
        "package.txt": _text(page).encode(),
    }


@cache
def _package_template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dagster_project.packaging", "view_templates"),
        autoescape=True,
        # A process renders with the templates that its renderer digest names, whatever happens to the files meanwhile.
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Drawn once per process: the shapes are the same on every page.
    draw = vars(environment.get_template("_icons.html").module)["icon"]
    environment.globals |= {
        "icons": {name: draw(name) for name in set(words.ICONS.values())},
        "title": _TITLE,
        "words": words,
    }
    return environment.get_template("package.html")


def _html(page: Page) -> str:
    return _package_template().render(page=page)


def _markdown(page: Page) -> str:
    blocks = [f"# {_TITLE}", *_opening(page), "## Affected capabilities", *_table(page)]
    for heading, lines in _sections(page, _escaped):
        blocks += [f"## {heading}", "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(blocks) + "\n"


def _text(page: Page) -> str:
    blocks = [_TITLE.upper(), *_opening(page), "AFFECTED CAPABILITIES\n" + "\n".join(_capability_lines(page))]
    for heading, lines in _sections(page, _plain):
        blocks.append(f"{heading.upper()}\n" + "\n".join(f"  {line}" for line in lines))
    return "\n\n".join(blocks) + "\n"


def _plain(text: str) -> str:
    return text


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _opening(page: Page) -> Iterator[str]:
    stated = [one.label for one in (page.status, page.severity, page.document_status) if one is not None]
    yield " | ".join(stated) if stated else f"Incident status: {_NOT_STATED}"
    if page.status_sentence:
        yield page.status_sentence


def _state(state: State | None) -> str:
    if state is None:
        return _NOT_STATED
    return f"{state.label} (on hold)" if state.held and state.code != words.ON_HOLD else state.label


def _table(page: Page) -> Iterator[str]:
    if page.affected:
        rows = [["Capability", "State", "Since", *map(_escaped, page.regions)]]
        rows.append(["---"] * len(rows[0]))
        for one in page.affected:
            since = _NOT_STATED if one.since is None else one.since.text
            rows.append([_escaped(one.name), _state(one.status), since, *map(_state, one.regions)])
        yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
    else:
        yield words.NOTHING_AFFECTED
    if "affected_capabilities" in page.partly_held:
        yield words.MORE_ON_HOLD


def _capability_lines(page: Page) -> Iterator[str]:
    for one in page.affected:
        since = "" if one.since is None else f", {'since ' if one.since.machine else 'start '}{one.since.text}"
        yield f"  {one.name}: {_state(one.status)}{since}"
        for region, state in zip(page.regions, one.regions, strict=True):
            if state is not None:
                yield f"    {region}: {_state(state)}"
    if not page.affected:
        yield f"  {words.NOTHING_AFFECTED}"
    if "affected_capabilities" in page.partly_held:
        yield f"  {words.MORE_ON_HOLD}"


def _sections(page: Page, escape: Escape) -> Iterator[tuple[str, list[str]]]:
    """Yield heading and lines of what Markdown and plain text write alike; `escape` is applied to every value."""
    yield (
        "Not affected",
        [f"{escape(name)}: {_state(state)}" for name, state in page.not_affected] or [words.NOTHING_UNAFFECTED],
    )
    yield "Workarounds", [*_workaround_lines(page, escape), *_more(page, "workarounds")]
    if page.statements or "statements" in page.partly_held:
        yield "Also stated", [*(_said(one, escape) for one in page.statements), *_more(page, "statements")]
    yield "On hold", list(_hold_lines(page, escape))
    steps = [f"{moment.text[0].upper()}{moment.text[1:]}: {step.label}" for step, moment in page.timeline]
    yield "Timeline", [*(steps or [words.NO_STEPS]), *_more(page, "timeline")]
    about = (words.ABOUT, *map(escape, page.version_lines))
    yield "About this page", [f"{page.sharing_label}. {page.sharing}", *about]


def _more(page: Page, part: str) -> list[str]:
    return [words.MORE_ON_HOLD] if part in page.partly_held else []


def _workaround_lines(page: Page, escape: Escape) -> Iterator[str]:
    for one in page.workarounds:
        purpose = ""
        if one.applies_to_held:
            purpose = f" (what it is for: {words.VALUE_ON_HOLD})"
        elif one.applies_to is not None:
            purpose = f", for {escape(one.applies_to)}"
        said = "".join(f" {_said(statement, escape)}" for statement in one.statements)
        yield f"{_state(one.readiness)}{purpose}.{said}"
    if not page.workarounds:
        yield words.NO_WORKAROUND


def _said(phrases: Iterable[Phrase], escape: Escape) -> str:
    return "".join(escape(f"[{one.text}]" if one.held else one.text) for one in phrases)


def _hold_lines(page: Page, escape: Escape) -> Iterator[str]:
    for hold in page.holds:
        fields = f" Fields on hold: {escape('; '.join(hold.fields))}." if hold.fields else ""
        yield f"{escape(hold.name)}: {hold.state}. {hold.decides} decides.{fields}"
    if page.cleared:
        yield f"Cleared to share: {escape(listed(page.cleared).lower())}."
    if page.none_declared:
        yield f"Nothing is on hold for: {escape(listed(page.none_declared).lower())}."
