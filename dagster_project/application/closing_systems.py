"""Closing systems: the systems that a closure reads and writes, opened.

Belongs here: joining the adapters to what the settings name, in one place. What the systems promise is
`closure.targets` and `closure.disposition`; the adapters are in `connections`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.closure.disposition import Archive, CaseReviewSystem
from dagster_project.closure.targets import Target
from dagster_project.connections.targets.forms import FORMS
from dagster_project.connections.targets.http import HttpArchive, HttpCaseReviewSystem, http_targets, read_token
from dagster_project.connections.targets.http_exchange import http_system
from dagster_project.connections.targets.sql import SqlArchive, SqlCaseReviewSystem, sql_targets
from dagster_project.connections.targets.support_systems import open_support_systems
from dagster_project.errors import Unavailable
from dagster_project.settings import SUPPORT_SYSTEMS_VARIABLE, Settings


@dataclass(frozen=True)
class Systems:
    """The authority, the archive as it is read, and the targets by name."""

    case_review: CaseReviewSystem
    archive: Archive
    targets: Mapping[str, Target]


def open_systems(settings: Settings) -> Systems:
    """Open the systems that `settings` name: all behind one HTTP base URL, or the tables of one database.

    Raises:
        Unavailable: none are named.
        UsageError: the URL is of no form that is known.
    """
    url = settings.support_systems
    if url is None:
        raise Unavailable(
            "support_systems_unavailable",
            what="no support systems are named",
            where=SUPPORT_SYSTEMS_VARIABLE,
            what_to_do="Name the support-systems database or the HTTP base URL there. Events are kept until then.",
        )
    return _over_http(url) if url.startswith(("http://", "https://")) else _in_tables(url)


def _over_http(url: str) -> Systems:
    system = http_system(url, token=read_token(os.environ))
    return Systems(HttpCaseReviewSystem(system), HttpArchive(system), http_targets(dict.fromkeys(FORMS, system)))


def _in_tables(url: str) -> Systems:
    engine = open_support_systems(url)
    return Systems(SqlCaseReviewSystem(engine), SqlArchive(engine), sql_targets(engine))
