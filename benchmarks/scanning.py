"""Megabytes per second of the scanner on one core, tier by tier, beside Python `re` and detect-secrets.

Run with ``python -m benchmarks.scanning``. All read the same seeded log lines in the same run, in CPU time, best of
three; slow ones read a part of them. A line of the table is a whole scan with validators, digests and 10,000 terms:
what it names is added to what is named above it. What is not installed is said and left out.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.scan_texts import DENSE, TYPICAL, log_text, terms
from dagster_project.scanning.engine import Scanner
from dagster_project.scanning.preselection import HyperscanPreselector, LiteralPreselector, Preselector
from dagster_project.scanning.rules import Rule
from dagster_project.scanning.shipped import shipped_rules
from dagster_project.scanning.terms import Terms
from dagster_project.scanning.variants import Base64Starts, Reading, plain_reading, readings_of

SIZE: Final = 4_000_000
_PART: Final = 200_000
_TIERS: Final = (
    (("literal",), "terms and literals"),
    (("ipv4",), "+ IPv4"),
    (("numeric",), "+ MAC, SSN, IBAN, telephone"),
    (("card",), "+ cards"),
    (("ipv6",), "+ IPv6"),
    (("blob",), "+ addresses in base 58"),
    (("wording",), "+ wording: all tiers"),
)


def _as_it_stands(text: str, _starts: Base64Starts) -> Iterator[Reading]:
    yield plain_reading(text)


def _rate(text: str, work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return len(text.encode()) / 1e6 / best


def _by_re(rules: Sequence[Rule], text: str) -> float:
    patterns = [rule.compiled() for rule in rules]
    return _rate(text, lambda: [sum(1 for _ in one.finditer(text)) for one in patterns])


def _tiers(text: str, rules: Sequence[Rule], engine: Callable[[Sequence[Rule]], Preselector]) -> None:
    names = Terms.of({"component": terms(10_000)})
    part = text[:_PART]
    some: list[Rule] = []
    print(f"  {'whole scans of the text as it stands':42}{'MB/s':>8}{'by re':>8}{'ratio':>8}")
    for tiers, label in _TIERS:
        some += [rule for rule in rules if rule.tier in tiers]
        scanner = Scanner(engine(some), key=b"k" * 32, terms=names, readings=_as_it_stands)
        rate, by_re = _rate(text, lambda one=scanner: one.scan(text)), _by_re(some, part)  # type: ignore[misc]
        print(f"  {label:42}{rate:8.1f}{by_re:8.2f}{rate / by_re:8.0f}")
    everything = Scanner(engine(some), key=b"k" * 32, terms=names, readings=readings_of)
    rate = _rate(text, lambda: everything.scan(text))
    print(f"  {'all tiers in all readings':42}{rate:8.1f}")
    print(f"  findings in 1,000 bytes: {len(everything.scan(text)) / len(text) * 1000:.2f}")


def _detect_secrets(part: str) -> Iterator[tuple[str, float]]:
    scan: Any = importlib.import_module("detect_secrets.core.scan")
    settings: Any = importlib.import_module("detect_secrets.settings")
    with settings.default_settings(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.log"
        file.write_text(part, encoding="utf-8")
        yield "detect-secrets, a file", _rate(part, lambda: list(scan.scan_file(str(file))))
        lines = part[: _PART // 10].split("\n")
        yield (
            "detect-secrets, line by line",
            _rate("\n".join(lines), lambda: [list(map(list, map(scan.scan_line, lines)))]),
        )


def main() -> None:
    """Measure and print, in CPU time."""
    rules = [rule for rule in shipped_rules() if rule.pattern]
    for name, density in (("nothing to find", (0, 0)), ("typical", TYPICAL), ("dense", DENSE)):
        text = log_text(SIZE, density)
        print(f"{name}: {len(text) / 1e6:.1f} MB")
        if importlib.util.find_spec("hyperscan") is None:
            print("  hyperscan is not installed")
        else:
            _tiers(text, rules, HyperscanPreselector)
        _others(text[:_PART], LiteralPreselector(rules))


def _others(part: str, preselector: Preselector) -> None:
    pure = Scanner(preselector, key=b"k" * 32)
    print(f"  {'pure engine, all tiers in all readings':42}{_rate(part, lambda: pure.scan(part)):8.2f}")
    if importlib.util.find_spec("detect_secrets") is None:
        print("  detect-secrets is not installed")
        return
    for label, rate in _detect_secrets(part):
        print(f"  {label:42}{rate:8.2f}")


if __name__ == "__main__":
    main()
