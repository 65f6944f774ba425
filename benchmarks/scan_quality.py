"""How much the scanner finds and how much it finds wrongly, by type.

Run with ``python -m benchmarks.scan_quality [labelled_texts.json]``. A label is found if a finding of its type overlaps
it; a finding is right if it overlaps a label of its type. Labelled texts are scored on their own `scope` only: no label
outside it means nothing. The generated set is seeded, and its formats and surroundings stand in no rule's examples.
"""

# ruff: noqa: E501 - one line for each drawn form reads best
import json
import random
import string
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from dagster_project.application.scanning import scanner_of, shipped_rules

SEED = 20260
PER_TYPE = 300
_SURROUNDINGS = (
    "{}",
    "seen {} at noon",
    '{{"field":"{}"}}',
    "<td>{}</td>",
    "({})",
    "line one\n\t{}\nend",
    "x={};",
    "to: {}, done",
)
_HARMLESS = (
    "build 4.18.0.2 of 2026-03-04T10:11:12Z",
    "blk_-1608999687919862906",
    "commit 43fc912ef59a83054ea7f6706df4d53a7dea4d80",
    "id 7f9c24e8-3b12-4d0f-a5c6-0b1d2e3f4a5b",
    "took 1234567 ms, 99.95 percent",
    "order 2026-11-21-000123",
    "std::vector<int>",
    "name@version 1.2.3",
    "10:20:30:40",
    "invoice 0049 1234 99",
    "token bucket is full",
    "password reset page is slow",
)


def _luhn(body: str) -> str:
    total = sum(d if i % 2 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(map(int, reversed(body))))  # noqa: PLR2004
    return body + str(-total % 10)


def _values(draw: random.Random) -> dict[str, str]:
    def some(alphabet: str, count: int) -> str:
        return "".join(draw.choices(alphabet, k=count))

    digits, anything, hexes = string.digits, string.ascii_letters + string.digits, "0123456789abcdef"
    prefix = draw.choice(("4", "51", "54", "6011"))
    number = _luhn(prefix + some(digits, 15 - len(prefix)))
    bank = some(digits, 18)
    check = 98 - int(bank + "131400") % 97
    mac = [some(hexes, 2) for _ in range(6)]
    return {
        "EMAIL_ADDRESS": f"{some(string.ascii_lowercase, 6)}_{some(digits, 2)}@{some(string.ascii_lowercase, 5)}.co.uk",
        "IP_ADDRESS": draw.choice((f"{draw.randint(11, 223)}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.7", f"2a02:{some(hexes[1:], 3)}::{some(hexes[1:], 4)}:5")),
        "MAC_ADDRESS": draw.choice((":", "-")).join([*mac[:5], "a1"]),
        "IBAN_CODE": f"DE{check:02d}{bank}",
        "CREDIT_CARD": draw.choice((number, " ".join(number[i : i + 4] for i in range(0, 16, 4)))),
        "US_SSN": f"{draw.randint(1, 665):03d}-{draw.randint(1, 99):02d}-{draw.randint(1, 9999):04d}",
        "PHONE_NUMBER": draw.choice((f"+46 8 {some('23456789', 3)} {some('123456789', 2)} {some('123456789', 2)}", f"212.{some('3456', 3)}.{some('123456789', 4)}")),
        "SECRET": draw.choice((f"ghs_{some(anything, 36)}", f"glpat-{some(anything, 20)}", f"xoxp-{some(digits, 12)}-{some(anything, 24)}", f"AKIA{some('ABCDEFGHJKLMNPQ234567', 16)}", f"npm_{some(anything, 36)}", f"SG.{some(anything, 22)}.{some(anything, 43)}", f"dop_v1_{some(hexes, 64)}", f"rk_live_{some(anything, 24)}")),
        "CRYPTO": "0x" + some(hexes, 40),
    }  # fmt: skip


def generated() -> list[dict[str, Any]]:
    """Return the seeded set: every type in many surroundings, and texts with nothing to find."""
    draw = random.Random(SEED)  # noqa: S311 - reproducible on purpose
    cases: list[dict[str, Any]] = []
    for _round in range(PER_TYPE):
        values = _values(draw)
        scope = sorted(values)
        for kind, value in values.items():
            text = draw.choice(_SURROUNDINGS).format(value)
            start = text.index(value)
            cases.append(
                {"scope": scope, "text": text, "entities": [{"type": kind, "start": start, "end": start + len(value)}]}
            )
        cases.append({"scope": scope, "text": draw.choice(_HARMLESS), "entities": []})
    return cases


def _family(name: str) -> str:
    return name.partition(":")[0]


def score(cases: list[dict[str, Any]], *, misses: Path | None = None) -> dict[str, list[int]]:
    """Return, by type, [labels, found, findings, right findings, labels found with both edges exact]."""
    rules = shipped_rules()
    scanner = scanner_of(rules, key=b"benchmark" * 4)
    table: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    wrong = []
    for case in cases:
        text = case.get("text") or "".join(case["text_parts"])
        scope = {_family(one) for one in case["scope"]}
        findings = [one for one in scanner.scan(text) if one.type in scope]
        labels = [one for one in case["entities"] if one["type"] in scope]
        found = [
            any(f.type == e["type"] and f.start < e["end"] and e["start"] < f.end for f in findings) for e in labels
        ]
        right = [
            any(f.type == e["type"] and f.start < e["end"] and e["start"] < f.end for e in labels) for f in findings
        ]
        for label, is_found in zip(labels, found, strict=True):
            table[label["type"]][0] += 1
            table[label["type"]][1] += is_found
            edges = (label["type"], label["start"], label["end"])
            table[label["type"]][4] += any((f.type, f.start, f.end) == edges for f in findings)
        for finding, is_right in zip(findings, right, strict=True):
            table[finding.type][2] += 1
            table[finding.type][3] += is_right
        if not all((*found, *right)):
            extra = [f.rule for f, is_right in zip(findings, right, strict=True) if not is_right]
            wrong.append(
                f"{case.get('id')} {case['scope'][0]} missed={found.count(False)} wrong={extra} {text[:150]!r}"
            )
        for kind in scope:
            _ = table[kind]
    if misses is not None:
        misses.write_text("\n".join(wrong), encoding="utf-8")
    return dict(table)


def _print(title: str, table: dict[str, list[int]]) -> None:
    print(f"\n{title}\n{'type':28}{'labels':>8}{'recall':>9}{'findings':>10}{'precision':>11}{'exact':>8}")
    for kind, (labels, found, findings, right, exact) in sorted(table.items()):
        recall = f"{found / labels:.3f}" if labels else "-"
        precision = f"{right / findings:.3f}" if findings else "-"
        print(f"{kind:28}{labels:8}{recall:>9}{findings:10}{precision:>11}{exact:8}")


def main() -> None:
    """Score and print; a second argument is a file for what was missed or wrong."""
    misses = Path(sys.argv[2]) if len(sys.argv) > 2 else None  # noqa: PLR2004
    if len(sys.argv) > 1:
        _print(
            "labelled texts, each in its scope", score(json.loads(Path(sys.argv[1]).read_text("utf-8")), misses=misses)
        )
    _print(f"generated, seed {SEED}", score(generated()))


if __name__ == "__main__":
    main()
