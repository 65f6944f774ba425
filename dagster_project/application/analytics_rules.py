"""What must hold between the rows of the published files: one statement per rule in `sql/rules/`.

Belongs here: reading them. Each counts what breaks its rule, so that no value ever has to be looked at to know whether
it holds. What one column may hold is said with the column (`analytics_rows`); who counts and shows is `checks`. A rule
is never the boundary: that is the publisher, which copies only what verifies.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dagster_project.errors import Unavailable

_RULES: Final = Path(__file__).parents[2] / "sql" / "rules"


@dataclass(frozen=True)
class Rule:
    """What must hold, in a sentence, and the statement that counts what breaks it."""

    name: str
    says: str
    broken: str


def read_rules() -> dict[str, Rule]:
    """Return every rule by name, in the order of names.

    Raises:
        Unavailable: they cannot be read, so the installation is damaged.
    """
    try:
        statements = {path.stem: path.read_text(encoding="utf-8") for path in sorted(_RULES.glob("*.sql"))}
    except OSError as error:
        raise _damaged(type(error).__name__) from error
    if not statements:
        raise _damaged("none found")
    return {name: Rule(name, _sentence(name, statement), statement) for name, statement in statements.items()}


def _sentence(name: str, statement: str) -> str:
    first = statement.partition("\n")[0]
    return first.removeprefix(f"-- {name}: ")


def _damaged(reason: str) -> Unavailable:
    return Unavailable(
        "rules_missing",
        what=f"the rules of the analytics files cannot be read ({reason})",
        where="sql/rules/",
        what_to_do="Install Channelsafe again; the rules ship with it.",
    )
