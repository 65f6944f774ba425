"""Statements: what is signed, as in-toto Statement v1: a list of subjects by digest, and a predicate of one type.

Belongs here: the form shared by all signed statements, writing and reading it. What a predicate says is for those
who make it; its signature is `signatures`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.signatures import STATEMENT_TYPE, Envelope

IN_TOTO_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREFIX: Final = "sha256:"


@dataclass(frozen=True)
class Statement:
    """Subjects (digest ``sha256:<hex>`` by name), and a predicate of a type (a versioned URI)."""

    predicate_type: str
    subjects: Mapping[str, str]
    predicate: Mapping[str, Any]


def statement_bytes(statement: Statement) -> bytes:
    """Write a statement as canonical JSON, subjects by name."""
    return canonical_bytes(
        {
            "_type": IN_TOTO_STATEMENT,
            "subject": [
                {"name": name, "digest": {"sha256": digest.removeprefix(_PREFIX)}}
                for name, digest in sorted(statement.subjects.items())
            ],
            "predicateType": statement.predicate_type,
            "predicate": dict(statement.predicate),
        }
    )


def read_statement(envelope: Envelope, predicate_type: str) -> Statement:
    """Read the statement in an envelope whose signatures were looked at.

    Raises:
        IntegrityViolation: another payload type or predicate type, or not a statement in its one form.
    """
    found = _parse(envelope.payload) if envelope.payload_type == STATEMENT_TYPE else None
    if found is None or found.predicate_type != predicate_type or statement_bytes(found) != envelope.payload:
        raise IntegrityViolation(
            "statement_refused",
            what=f"this is not a statement of type {predicate_type} in its one form",
            where="a signed statement",
            what_to_do="Get it again from where it was published.",
        )
    return found


def _parse(payload: bytes) -> Statement | None:
    try:
        document = parse_strict(payload)
        subjects = {one["name"]: _PREFIX + one["digest"]["sha256"] for one in document["subject"]}
        return Statement(document["predicateType"], subjects, dict(document["predicate"]))
    except (NotCanonical, ValueError, TypeError, LookupError):
        return None
