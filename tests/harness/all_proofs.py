"""All proofs: every command that proves something, one after the other, and one page of their figures at the end.

Belongs here: which commands, and which of the lines that they print are figures. Nothing is judged here but whether a
command succeeded.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PYTEST: Final = (sys.executable, "-m", "pytest", "-q")
_HARNESS: Final = (sys.executable, "-m", "tests.harness")
_RESULT: Final = r"^=*\s*\d+ (passed|failed|skipped).*"


@dataclass(frozen=True)
class Proof:
    """A command, how a person would type it, which lines of its output are figures, and what it needs set."""

    name: str
    typed: str
    command: Sequence[str]
    figures: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """How a proof ended."""

    proof: Proof
    code: int
    seconds: float
    lines: Sequence[str]


def proofs(data: Path, mutations: int) -> tuple[Proof, ...]:
    """Return every proof in the order in which they run; add one here to have it on the page."""
    full = {"CHANNELSAFE_EXAMPLES": "full"}
    real = {"CHANNELSAFE_REAL_DATA": str(data)}
    return (
        Proof(
            "non-interference and completeness",
            f"make prove N={mutations}",
            (*_HARNESS, "prove", "--mutations", str(mutations)),
            r"^(seed |through store|restricted mutations|permitted mutations|FOUND|TOO FEW)",
            {},
        ),
        Proof(
            "every closure once",
            "make prove-closure N=10000",
            (*_HARNESS, "closure", "--effects", "10000"),
            r"^(seed |effects expected)|deaths by",
            {},
        ),
        Proof("every guard is needed", "make prove-guards", (*_HARNESS, "guards"), r"^(seed |guards:)|NOT FOUND", {}),
        Proof(
            "share of permitted facts",
            f"make prove-facts DATA={data}",
            (*_HARNESS, "facts", "--data", str(data)),
            r"permitted facts|decide something|SILENT",
            {},
        ),
        Proof(
            "real incidents",
            f"make prove-real DATA={data}",
            (*_PYTEST, "-m", "real_data", "-s", "tests"),
            rf"real incidents|decisions|hold no five words|verified|{_RESULT}",
            real,
        ),
        Proof(
            "faults and attacks",
            "CHANNELSAFE_EXAMPLES=full pytest -n 2 tests/faults",
            (*_PYTEST, "-n", "2", "tests/faults"),
            _RESULT,
            full,
        ),
        Proof(
            "properties at full counts",
            "CHANNELSAFE_EXAMPLES=full pytest -n 2 tests/property",
            (*_PYTEST, "-n", "2", "tests/property"),
            rf"^I1|shown or on hold|{_RESULT}",
            full,
        ),
    )


def run(data: Path, mutations: int) -> int:
    """Run every proof, print the page, and return 0, or 1 where one failed."""
    outcomes = [_outcome(one) for one in proofs(data, mutations)]
    _say("\n".join(page(outcomes)))
    return int(any(one.code for one in outcomes))


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """Return one page: each proof with its command, how long it took, and its figures."""
    lines = ["", "FIGURES", ""]
    for one in outcomes:
        ended = "done" if one.code == 0 else f"FAILED with exit code {one.code}"
        lines += [f"{one.proof.name}: {ended} in {one.seconds / 60:.1f} minutes", f"  $ {one.proof.typed}"]
        lines += [f"  {line.strip('= ')}" for line in one.lines] + [""]
    total = sum(one.seconds for one in outcomes)
    return [*lines, f"all of it took {total / 60:.0f} minutes; failed: {sum(one.code != 0 for one in outcomes)}"]


def _outcome(proof: Proof) -> Outcome:
    _say(f"$ {proof.typed}")
    begun, said = time.monotonic(), []
    with subprocess.Popen(
        proof.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | proof.environment
    ) as process:
        for line in process.stdout or ():
            _say(line.rstrip("\n"))
            said.append(line.rstrip("\n"))
    wanted = re.compile(proof.figures)
    return Outcome(proof, process.returncode, time.monotonic() - begun, [one for one in said if wanted.search(one)])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
