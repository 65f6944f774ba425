"""The one way in which a check reports.

Belongs here: the guard against checks that fail open. Dagster lets a check that returns None, a list or a bare bool
pass silently, and one that fails as a mere warning block nothing; here anything but a proper result for every
declared name raises, and every result has the severity that blocks.
"""

from collections.abc import Iterable, Sequence

import dagster as dg


def proper_results(results: Iterable[object], *, names: Sequence[str]) -> list[dg.AssetCheckResult]:
    """Return the results, each with a real bool and blocking severity, one per declared name and in their order.

    Raises:
        TypeError: something is no `AssetCheckResult`, or a result is missing, doubled or for a name that was not
            declared.
    """
    found: dict[str, dg.AssetCheckResult] = {}
    for result in results:
        if not isinstance(result, dg.AssetCheckResult):
            raise TypeError("a check returned something that is no AssetCheckResult")
        if result.check_name is None or result.check_name in found or result.check_name not in names:
            raise TypeError("a check result is doubled or was not declared")
        found[result.check_name] = result._replace(passed=bool(result.passed), severity=dg.AssetCheckSeverity.ERROR)
    if missing := [name for name in names if name not in found]:
        raise TypeError(f"{len(missing)} check results are missing")
    return [found[name] for name in names]
