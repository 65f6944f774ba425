"""Figures: what the harness counts, and the tables that it prints."""

from collections import Counter
from dataclasses import dataclass, field

# Of these mutations many pairs are discarded, because they move what may be noticed; each with the reason.
FEWER_KEPT = {
    "dependency added": "that a dependency concerns a bridge shows as the state of its slot",
    "inside record removed": "a slot shows that a dependency is there, and a status that another was told",
    "dependency#/component": "which component depends decides which bridges it concerns",
    "security-review#/exploitability_note": "that there is one shows as the state of its slot",
    "workaround#/readiness of an inside record": "whether it may be applied decides whether its article holds",
    "workaround#/verified of an inside record": "as above",
    "incident#/state kept back": "where a status was told ahead, another state may not be behind it any more",
}
LEAST_KEPT = 0.8


@dataclass
class Figures:
    """Counts of mutations by what was mutated and what became of them; `found` are interferences and omissions."""

    restricted: int = 0
    permitted: int = 0
    real: int = 0
    stages: int = 0
    published: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    discarded: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    interferences: list[str] = field(default_factory=list)
    omissions: list[str] = field(default_factory=list)
    passed: Counter[bool] = field(default_factory=Counter)

    def add(self, other: "Figures") -> None:
        """Add the figures of another part of the run."""
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, name, mine + theirs)

    def share(self, name: str) -> float:
        """Return which share of the pairs of one kind of mutation was kept."""
        return self.kept[name] / max(1, self.kept[name] + self.discarded[name])

    def too_few_kept(self) -> list[str]:
        """Name the kinds of mutation of which under 80 % of the pairs were kept, without a reason for it."""
        names = sorted({*self.kept, *self.discarded} - FEWER_KEPT.keys())
        return [f"{name}: {self.share(name):.0%} kept" for name in names if self.share(name) < LEAST_KEPT]

    def table(self) -> str:
        """Return the pairs kept and discarded, and what became of permitted facts."""
        names = sorted({*self.kept, *self.discarded})
        rows = [f"{name:52}{self.kept[name]:8}{self.discarded[name]:11}{self.share(name):8.0%}" for name in names]
        total = sum(self.verdicts.values())
        verdicts = [f"{name:60}{times:8}{times / total:8.1%}" for name, times in self.verdicts.most_common()]
        explained = [f"fewer kept of {name}: {why}" for name, why in FEWER_KEPT.items()]
        return "\n".join(
            [
                f"{'I1: mutated':52}{'kept':>8}{'discarded':>11}{'share':>8}",
                *rows,
                *explained,
                "",
                f"{'I1-dual: what became of a permitted fact':60}{'facts':>8}{'share':>8}",
                *verdicts,
            ]
        )

    def real_line(self) -> str:
        """Return what went through the real thing."""
        return (
            f"through store, Dagster run, command line, logs and published folder: {self.real} of them, "
            f"{self.published} published files compared"
        )

    def last_lines(self) -> list[str]:
        """Return the two lines that a run ends with."""
        return [
            f"restricted mutations: {self.restricted}, interferences: {len(self.interferences)}",
            f"permitted mutations: {self.permitted}, silent omissions: {len(self.omissions)}",
        ]
