"""The page of rules in Markdown, made from rule data alone: equal rules give equal bytes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dagster_project.application.rule_book import RuleBook, ScannerRule, shown_text

_INTRODUCTION: Final = """\
# Writing rules and scanner rules

Made from the rule data by `channelsafe rules --markdown > docs/writing_rules.md`; a test compares the two. Change
the data (`dagster_project/scanning/rules/`), never this page.

A package has no free text: codes, instants, approved sentences and display names are all that customers read. The
rules N1 to N11 judge those sentences and names where a profile is validated (`channelsafe profile validate`): what
they block is an error, and the profile is not loaded; what they warn of is a warning. A test judges every view of the
sample story by them. The other rules hold by construction: they name the functions that see to it, and the tests.

What a text judge cannot do: it knows words, not meaning. It blocks words that a harmless sentence may need too
("vulnerable code path"), and passes a cause that is told without any word of cause. People approve every text."""


def rules_page(book: RuleBook) -> str:
    """Return the page, with a line break at its end."""
    return "\n\n".join(_blocks(book)) + "\n"


def _blocks(book: RuleBook) -> Iterator[str]:
    yield _INTRODUCTION
    yield "## What may not be said (N)"
    yield from _writing(book, "N")
    yield "## What must be done (M)"
    yield from _writing(book, "M")
    yield "## What we saw on public incidents"
    yield from _seen(book)
    yield "## What the scanner finds"
    yield (
        "One line for each rule; examples are cut short where the rule finds something. Rules of wording are above; "
        "the scanner searches for them too."
    )
    yield _table(("Type", "Rule", "What", "Example", "Source"), map(_scanner_row, book.scanner_rules))
    yield "## Sources"
    yield "\n".join(f"- **{short}**: {long}" for short, long in book.sources.items())


def _writing(book: RuleBook, kind: str) -> Iterator[str]:
    for one in book.writing_rules:
        if not one.id.startswith(kind):
            continue
        yield f"### {one.id} {one.title}"
        yield one.says
        lines = [("Why", one.why), ("Source", one.source)]
        if one.judges_texts:
            how = "a list of denied names" if one.enforcement == "deny_list" else "patterns"
            lines.append(("Enforced", f"by {how}; a hit {'warns' if one.severity == 'warn' else 'blocks'}"))
            lines.append(("Passes", _quoted(one.passes[0])))
            lines.append(
                ("Does not pass", _quoted(one.fails[0]) + _denied(one.example_names, one.example_public_names))
            )
        else:
            how = "type" if one.enforcement == "type" else "structure"
            lines.append(("Enforced", f"by {how}: {_listed(one.enforced_by)}"))
            lines.append(("Shown by", _listed(one.shown_by)))
        yield "\n".join(f"- {name}: {text}" for name, text in lines)


def _denied(names: Sequence[str], public: Sequence[str]) -> str:
    if not names:
        return ""
    approved = f"; public: {', '.join(public)}" if public else ""
    return f" (denied: {', '.join(names)}{approved})"


def _seen(book: RuleBook) -> Iterator[str]:
    seen = book.seen
    yield (
        f"{seen.data}: {seen.posts} posts of {seen.incidents} incidents, read where they lie and not copied. They were "
        "written by people under other rules than ours, so a hit is no fault of theirs. Posts and incidents that each "
        "rule hits, measured by `tests/real_data/test_real_wording.py`:"
    )
    titles = {one.id: one.title for one in book.writing_rules}
    rows = [(name, titles[name], str(hit.posts), str(hit.incidents)) for name, hit in seen.hits.items()]
    yield _table(("Rule", "Title", "Posts", "Incidents"), rows)
    notes = (
        (
            f"{seen.denied_estimates} sentences deny an ETA or call it unknown, and none of them breaks N4; the other "
            f"{seen.other_estimates} sentences with that word all do."
        ),
        (
            f"With the inside name `{seen.inside_name}` denied and `{seen.public_name}` public, none of the "
            f"{seen.posts_with_public_name} posts that say only the public name breaks N2; "
            f"{seen.posts_with_name_alone} say the inside name by itself and do."
        ),
        *seen.read_by_hand,
        (
            f"What is missed: of {seen.unseen_sentences} sentences that break N1 or N4 to N9, written after the rules "
            f"and not used to make them, {seen.unseen_blocked} are blocked. Approval by people is no formality."
        ),
    )
    yield "\n".join(f"- {one}" for one in notes)


def _scanner_row(rule: ScannerRule) -> tuple[str, ...]:
    return (rule.type, rule.id, rule.what, _quoted(rule.example) if rule.example else "", rule.source)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in names)


def _quoted(text: str) -> str:
    """Return a text as code, on one line, whatever backticks it holds."""
    flat = " ".join(shown_text(text).split())
    fence = "``" if "`" in flat else "`"
    space = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{space}{flat}{space}{fence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(one.replace("|", "\\|") for one in line) + " |" for line in lines)
