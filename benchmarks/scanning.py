"""Megabytes per second of the scanner on one core: hyperscan by tier, whole scans, Python `re`, detect-secrets.

Run with ``python -m benchmarks.scanning``. The text is seeded log lines. What is not installed is said and left out.
Preselection alone and whole scans (all readings, validators, digests) are separate lines: only the second one finds.
"""

import importlib.util
import random
import time
from collections.abc import Callable
from typing import Final

from dagster_project.application.scanning import shipped_rules
from dagster_project.scanning.engine import HyperscanPreselector, LiteralPreselector, Scanner

SIZE: Final = 1_000_000
_ADDRESSED: Final = 0.05
_TIERS: Final = ("literal", "numeric", "card", "ipv6", "blob", "wording")


def log_text(size: int) -> str:
    """Return about `size` characters of log lines, one in twenty with an address."""
    draw = random.Random(7)  # noqa: S311 - reproducible on purpose
    words = [
        "request",
        "served",
        "cache",
        "miss",
        "worker",
        "started",
        "queue",
        "drained",
        "shard",
        "moved",
        "retry",
        "later",
        "status",
        "ok",
        "in",
        "region",
    ]
    lines, length = [], 0
    while length < size:
        line = f"2026-11-21T10:{draw.randint(0, 59):02d}:{draw.randint(0, 59):02d}Z INFO " + " ".join(
            draw.choices(words, k=10)
        )
        line += f" ms={draw.randint(1, 9999)}" + (
            f" from 10.{draw.randint(0, 255)}.3.4" if draw.random() < _ADDRESSED else ""
        )
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines)


def _rate(label: str, size: int, work: Callable[[], object]) -> None:
    started = time.process_time()
    work()
    print(f"{label:44}{size / 1e6 / max(time.process_time() - started, 1e-9):10.2f} MB/s")


def main() -> None:
    """Measure and print, in CPU time."""
    rules, text = shipped_rules(), log_text(SIZE)
    small = text[: SIZE // 5]
    fast = importlib.util.find_spec("hyperscan") is not None
    for tier in _TIERS if fast else ():
        one = HyperscanPreselector([rule for rule in rules if rule.tier == tier])
        _rate(f"hyperscan preselection, {tier}", len(text), lambda one=one: list(one.places(text)))  # type: ignore[misc]
    if fast:
        scanner = Scanner(rules, HyperscanPreselector(rules), key=b"k" * 32)
        _rate("whole scan, hyperscan, all readings", len(text), lambda: scanner.scan(text))
    else:
        print("hyperscan is not installed")
    pure = Scanner(rules, LiteralPreselector(rules), key=b"k" * 32)
    _rate("whole scan, pure, all readings", len(small), lambda: pure.scan(small))
    patterns = [rule.compiled() for rule in rules if rule.pattern]
    _rate(
        "Python re, every rule in turn, no validators", len(small), lambda: [list(p.finditer(small)) for p in patterns]
    )
    if importlib.util.find_spec("detect_secrets") is None:
        print("detect-secrets is not installed")
        return
    from detect_secrets.core.scan import scan_line  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    from detect_secrets.settings import default_settings  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    few = small[:20_000]
    with default_settings():
        _rate(
            "detect-secrets scan_line, default plugins",
            len(few),
            lambda: [list(scan_line(one)) for one in few.split("\n")],
        )


if __name__ == "__main__":
    main()
