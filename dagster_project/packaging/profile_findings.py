"""What each finding over a profile means, and what to do about it.

Belongs here: reading the table, one text for each code. Which findings there are is `profile_validation`.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml


@cache
def finding_meanings() -> Mapping[str, str]:
    """Return by code what a finding means and what to do."""
    file = resources.files("dagster_project.packaging") / "profile_findings.yaml"
    meanings: dict[str, str] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return meanings
