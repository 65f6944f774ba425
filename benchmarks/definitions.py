"""What loading the code location costs in a fresh interpreter, beside `import dagster` in the same run.

Run with ``python -m benchmarks.definitions``. Nothing is asserted; that no heavy library is loaded is a test.
"""

import statistics
import subprocess
import sys
import time
from typing import Final

ROUNDS: Final = 7
PROGRAMS: Final = {"import dagster (baseline)": "import dagster", "definitions": "import dagster_project.definitions"}


def _seconds(program: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    for program in PROGRAMS.values():
        _seconds(program)  # so that both find their bytecode compiled
    # In turns, so that both meet the same load.
    taken = [{name: _seconds(program) for name, program in PROGRAMS.items()} for _round in range(ROUNDS)]
    medians = {name: statistics.median(one[name] for one in taken) for name in PROGRAMS}
    baseline = next(iter(medians.values()))
    for name, seconds in medians.items():
        sys.stdout.write(f"{name:28}{seconds:8.2f} s{seconds / baseline:8.2f} x\n")


if __name__ == "__main__":
    main()
