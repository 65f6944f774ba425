"""The harness as a program: `python -m tests.harness prove|guards|facts|all`; what each does says `--help`."""

import argparse
import secrets
import sys
from pathlib import Path

from tests.harness import all_proofs, closures, guards_off, prove, share_of_facts

_FAILED = 1


def main(arguments: list[str]) -> int:
    """Run what is asked for; return 0, or 1 where something was found."""
    asked = _parser().parse_args(arguments)
    if asked.what == "prove":
        return _prove(asked)
    if asked.what == "guards":
        return _guards(asked.seed or secrets.token_hex(4), asked.processes)
    if asked.what == "facts":
        return _facts(asked.data)
    if asked.what == "closure":
        return _closure(asked)
    return all_proofs.run(asked.data, asked.mutations)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("what", choices=("prove", "guards", "facts", "closure", "all"))
    parser.add_argument("--mutations", type=int, default=100_000, help="how many; half of either kind")
    parser.add_argument("--effects", type=int, default=10_000, help="how many effects of closures, at least")
    parser.add_argument("--real", type=int, default=prove.REAL, help="how many of them go through the real thing too")
    parser.add_argument("--seed", default="", help="the same seed gives the same figures; one is drawn and printed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of the real feed")
    return parser


def _prove(asked: argparse.Namespace) -> int:
    seed = asked.seed or secrets.token_hex(4)
    _say(f"seed {seed}")
    figures = prove.prove(asked.mutations, seed, real=asked.real, processes=asked.processes)
    _say(figures.table())
    for one in (*figures.interferences[:20], *figures.omissions[:20]):
        _say(f"FOUND: {one}")
    too_few = figures.too_few_kept()
    for one in too_few:
        _say(f"TOO FEW KEPT: {one}")
    _say(figures.real_line())
    for line in figures.last_lines():
        _say(line)
    return _FAILED if too_few or figures.interferences or figures.omissions else 0


def _guards(seed: str, processes: int) -> int:
    _say(f"seed {seed}")
    found = guards_off.search_all(seed, processes=processes)
    _say(guards_off.table(found))
    missed = [one for one in found if not one.is_right]
    _say(f"guards: {len(found) - 1}, not found out within {guards_off.MOST} mutations: {len(missed)}")
    return _FAILED if missed else 0


def _closure(asked: argparse.Namespace) -> int:
    seed = asked.seed or secrets.token_hex(4)
    _say(f"seed {seed}")
    counted = closures.prove(asked.effects, seed, processes=asked.processes)
    _say(counted.story())
    _say(counted.last_line())
    return 0 if counted.is_right else _FAILED


def _facts(data: Path) -> int:
    shares = share_of_facts.measure(data)
    for one in shares:
        _say(one.table())
    return _FAILED if any(one.silent for one in shares) else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
