"""The feed of a Statuspage as a use case: which bridge it feeds.

Belongs here: what is this feed's own. What every feed does to the store, and how it is played, is `feeds`.
"""

from typing import Final

from dagster_project.application.feeds import Feed
from dagster_project.connections.statuspage import parse_feed
from dagster_project.connections.statuspage_records import SOURCE, feed_records

STATUSPAGE: Final = Feed(
    unit="statuspage",
    source=SOURCE,
    samples="statuspage",
    bridge="fernbrook",
    profile="statuspage_bridge",
    events=lambda content: feed_records(parse_feed(content)),
)
