"""Statements: what is signed, as in-toto Statement v1: a list of subjects by digest, and a predicate of one type.

Belongs here: the form shared by all signed statements, writing and reading it. What a predicate says is for those
who make it; its signature is `signatures`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from dagster_project.errors import IntegrityViolation
from dagster_project.integrity.canonical import NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.signatures import STATEMENT_TYPE, Envelope

IN_TOTO_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREFIX: Final = "sha256:"
Act = TypeVar("Act")


@dataclass(frozen=True)
class Statement:
    """Subjects (digest ``sha256:<hex>`` by name), and a predicate of a type (a versioned URI)."""

    predicate_type: str
    subjects: Mapping[str, str]
    predicate: Mapping[str, Any]


class Refusal(NamedTuple):
    """What is said of an act that is not in its one form: code, what it should be, where, and how to make it again."""

    code: str
    what: str
    where: str
    command: str


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


def read_act(
    envelope: Envelope, predicate_type: str, kind: type[Act], payload_of: Callable[[Act], bytes], refusal: Refusal
) -> Act:
    """Read what a person signed from an envelope whose signature was looked at.

    Args:
        envelope: The envelope.
        predicate_type: The type that its statement must have.
        kind: The record that the predicate is.
        payload_of: Writes the record as it is signed: what was signed must be just that.
        refusal: What to say where it is not.

    Raises:
        IntegrityViolation: no statement of this type, or not the record in its one form.
    """
    statement = read_statement(envelope, predicate_type)
    try:
        act = msgspec.convert(dict(statement.predicate), kind)
    except msgspec.ValidationError:
        act = None
    if act is None or payload_of(act) != envelope.payload:
        raise IntegrityViolation(
            refusal.code,
            what=f"this is not a {refusal.what} in its one form",
            where=refusal.where,
            what_to_do=f"Make it again with `{refusal.command}`.",
        )
    return act


def _parse(payload: bytes) -> Statement | None:
    try:
        document = parse_strict(payload)
        subjects = {one["name"]: _PREFIX + one["digest"]["sha256"] for one in document["subject"]}
        return Statement(document["predicateType"], subjects, dict(document["predicate"]))
    except (NotCanonical, ValueError, TypeError, LookupError):
        return None
