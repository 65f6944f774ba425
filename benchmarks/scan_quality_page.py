"""The page about the scanner's quality: a table of both sets, what explains their gaps, and what is not looked for."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

_POINTS: Final = 0.02

_EXPLAINED: Final = {
    "SECRET": """The labelled texts are the test cases of tools that look for one format at a time, so more of them look
  like a secret and are labelled as none than real texts do. Of what counts as wrong there, ten findings are keys of
  published samples of Google: their form is right, and only a list of the very values could tell. The others are keys
  of one format in the test of another, values after a name such as `secret_access_key` that are too long for their
  maker, and values that one of the tools passes because of the language of the file. To pass them would be to pass real
  keys.""",
}

_HEAD: Final = """# How good the scanner is
`python -m benchmarks.scan_quality --labelled FILE --page docs/scanning_quality.md` writes this page. A label counts as
found if a finding of its type overlaps it; a finding is right if it overlaps a label of its type.

- *labelled*: test cases of Presidio, detect-secrets, gitleaks and troubleshoot, each scored on the types it is about.
- *generated*: texts drawn from a fixed seed (`benchmarks/scan_formats.py`), scored on all types at once: formats as
  their makers document them, with values and surroundings (JSON, YAML, environment files, page addresses, stack traces,
  SQL, prose) that stand in no rule's examples, and harmless texts that look alike. The rules for token formats were
  written from the same documents, and rules for values on the line after their name, in an element, or in an image's
  environment were added because this set showed that they were missing. So it shows how known formats bear strange
  surroundings, not how good the scanner is with formats that nobody documented.
"""

_TAIL: Final = """
## What it does not look for
Names of people, places and firms (unless they are terms of a deny list), dates, ages, postal addresses, page addresses,
national ids, passports, driving licences, tax and health numbers, vehicle plates, bank account numbers but IBANs.
{missing}
National telephone numbers are found in North American form, with a trunk prefix 0 in groups, or after a word such as
`phone`; anything else needs its country code. Keys without a mark of their own are found by the name before them.

Text is read again with escapes of JSON and of page addresses, HTML entities, base64, look-alike letters and unseen
characters undone, up to five times in any order; what is wrapped more often is a finding of its own
(`unreadable_depth`), as is what would grow without end (`unreadable_growth`). Not undone: compression, encryption,
quoted-printable, hexadecimal text, UTF-16 in bytes, base64 of anything but text, base64 that starts within a word, and
text in pictures.
"""


class Scored(Protocol):
    """What was found of one type."""

    @property
    def labels(self) -> int:
        """How many labels there are."""

    @property
    def recall(self) -> float:
        """Share of the labels that were found."""

    @property
    def precision(self) -> float:
        """Share of the findings that were right."""


def _cells(one: Scored | None) -> str:
    return "- | - | -" if one is None else f"{one.labels} | {one.recall:.3f} | {one.precision:.3f}"


def _gaps(labelled: Mapping[str, Scored], made: Mapping[str, Scored]) -> Iterator[str]:
    for kind in sorted(labelled.keys() & made.keys()):
        for what in ("recall", "precision"):
            one, other = getattr(labelled[kind], what), getattr(made[kind], what)
            if abs(one - other) > _POINTS:
                yield f"- {kind}, {what} {one:.3f} and {other:.3f}. {_EXPLAINED[kind]}"


def page(labelled: Mapping[str, Scored], made: Mapping[str, Scored], *, looked_for: Iterable[str]) -> str:
    """Return the page as Markdown. `looked_for` are the types that the scanner has rules for.

    Raises:
        KeyError: a gap of more than two points between the sets has no explanation.
    """
    types = sorted((labelled.keys() | made.keys()) & set(looked_for))
    missing = sorted(labelled.keys() - set(types))
    rows = "\n".join(f"| {kind} | {_cells(labelled.get(kind))} | {_cells(made.get(kind))} |" for kind in types)
    heads = "| type | labelled | recall | precision | generated | recall | precision |\n|---|---|---|---|---|---|---|"
    gaps = "\n".join(_gaps(labelled, made)) or "There is none."
    named = textwrap.fill(f"Types of the labelled texts among them: {', '.join(missing)}.", 118) if missing else ""
    return (
        f"{_HEAD}\n{heads}\n{rows}\n\n## Gaps of more than two points between the sets\n{gaps}\n"
        f"{_TAIL.format(missing=named)}"
    )
