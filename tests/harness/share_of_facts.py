"""The share of permitted facts that a page shows, over the sample scenario and the real feed, and what the rest is.

A fact that is neither shown nor on hold is named with the rule that says why it decides nothing at present: another
fact of the same part of the page stands for it, or the claim that it would support is not made.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.connections.google_cloud import parse_feed
from dagster_project.connections.google_cloud_records import feed_records
from tests.harness.permitted import EXPLAINED
from tests.support.histories import History, histories_of, story
from tests.support.mutations import seeded
from tests.support.permitted_facts import DOMINATED, Fact, Shown, facts, judge, packages_of

FEED = Path("incidents") / "google_cloud_incidents.json"
_SAMPLES = Path(__file__).parents[2] / "dagster_project" / "demo" / "google_cloud" / "account_records.ndjson"
_FACTS_PER_INCIDENT = 40
_FAR_AHEAD = datetime(2031, 1, 1, tzinfo=UTC)
SILENT = "SILENT"
_RULES = {rule.__name__: (rule.__doc__ or "").partition("\n")[0] for rule in (*DOMINATED, *EXPLAINED)}


@dataclass
class Share:
    """What became of the permitted facts of one source of histories."""

    name: str
    verdicts: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)

    @property
    def facts(self) -> int:
        return sum(self.verdicts.values())

    @property
    def rendered(self) -> float:
        """The share that is shown or visibly on hold."""
        return (self.verdicts["shown"] + self.verdicts["on hold"]) / max(1, self.facts)

    def table(self) -> str:
        """Return the figures, and each rule that leaves a fact undecided with what it says."""
        rest = [(name, times) for name, times in self.verdicts.most_common() if name not in {"shown", "on hold"}]
        rows = [f"  {times:6} {times / self.facts:6.1%}  {name}: {_RULES.get(name, '')}" for name, times in rest]
        own = self.facts - sum(times for name, times in rest if name != "SILENT")
        visible = self.verdicts["shown"] + self.verdicts["on hold"]
        shares = f"{self.verdicts['shown'] / self.facts:.1%} rendered, {self.rendered:.1%} rendered or visibly on hold"
        first = f"{self.name}: {self.facts} permitted facts, {shares}"
        second = f"of the {own} that decide something by themselves {visible / max(1, own):.1%}; the others:"
        return "\n".join([first, second, *rows])


def measure(data: Path) -> list[Share]:
    """Measure the sample scenario, and the real feed where its folder is there."""
    shares = [_share("sample scenario", story(), most=None)]
    feed = data / FEED
    if feed.exists():
        shares.append(_share("real feed", feed_histories(feed.read_bytes()), most=_FACTS_PER_INCIDENT))
    return shares


def feed_histories(content: bytes) -> Iterable[History]:
    """Yield every incident of a feed at its end, as the sample bridge of the feed is shown it."""
    accounts = [line for line in _SAMPLES.read_bytes().splitlines() if line.strip()]
    feed: list[dict[str, Any]] = parse_feed(content)
    for incident in feed:
        lines = feed_records([incident])
        probe = histories_of([(_FAR_AHEAD, [*accounts, *lines])], incident["id"].upper())[-1]
        end = max(one.recordedtime for one in probe.records if one.subject == probe.incident)
        yield History(end, probe.records, probe.rejected, probe.incident, {"harbourline": "google-cloud-bridge"})


def _share(name: str, histories: Iterable[History], *, most: int | None) -> Share:
    share, random = Share(name), seeded(name)
    for history in histories:
        packages = packages_of(history)
        known = [*facts(history)]
        for fact in known if most is None or len(known) <= most else random.sample(known, k=most):
            verdict = _verdict(fact, packages[fact.bridge])
            share.verdicts[verdict] += 1
            if verdict == SILENT:
                share.silent.append(f"{fact.source_field} of {fact.record.recordid} on {fact.bridge} at {history.at}")
    return share


def _verdict(fact: Fact, package: Shown) -> str:
    verdict = judge(fact, package)
    return next((rule.__name__ for rule in EXPLAINED if rule(fact)), SILENT) if verdict == SILENT else verdict
