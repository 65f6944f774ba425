"""The texts of a profile that customers read, and the names that may not stand in them.

Belongs here: where a profile holds words of its own. How texts are judged is `scanning.wording`; that what is found is
a finding over the profile is `profile_validation`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from dagster_project.packaging.profile import Profile
from dagster_project.packaging.vocabulary import SHIPPED_SLOTS
from dagster_project.scanning.wording import DeniedNames

INTERNAL_NAMES: Final = "N2"
VENDORS: Final = "N3"
_PARAMETER: Final = re.compile(r"\{[A-Za-z0-9_]+\}")
# What stands for a parameter while its sentence is judged: "within {minutes} minutes" is a promise all the same.
_STAND_IN: Final = "30"


class ShownText(msgspec.Struct, frozen=True):
    """A text of the profile that customers read, where it stands, and the names that may not stand in it."""

    where: str
    text: str
    names: DeniedNames


def shown_texts(profile: Profile) -> Iterator[ShownText]:
    """Yield every text of a profile that a view can show: templates, display names, public names, slots of its own.

    A display name may be the name of a component, since people approve it with the profile; a sentence may not use
    a component's name otherwise.
    """
    names = dict(_display_names(profile))
    public = [*names.values(), *profile.lexicons.approved_public_names.values()]
    components = [one for capability in profile.capabilities.values() for one in capability.components]
    in_names = _denied(profile, components=(), public=profile.lexicons.approved_public_names.values())
    for where, name in names.items():
        yield ShownText(where, name, in_names)
    in_sentences = _denied(profile, components=components, public=public)
    for key, template in profile.templates.items():
        yield ShownText(f"templates/{key}/text", _PARAMETER.sub(_STAND_IN, template.text), in_sentences)
    for number, name in enumerate(profile.lexicons.approved_public_names.values(), start=1):
        yield ShownText(f"lexicons/approved_public_names/{number}", name, in_names)
    for slot, entry in profile.slots.items():
        if slot not in SHIPPED_SLOTS:
            yield ShownText(f"slots/{slot}/category", entry.category.replace("_", " "), in_names)


def _display_names(profile: Profile) -> Iterator[tuple[str, str]]:
    for key, capability in profile.capabilities.items():
        yield f"capabilities/{key}/name", capability.name
    for key, bucket in profile.region_buckets.items():
        yield f"region_buckets/{key}/name", bucket.name


def _denied(profile: Profile, *, components: Iterable[str], public: Iterable[str]) -> DeniedNames:
    internal = (*components, *profile.lexicons.denied_terms)
    vendors = tuple(profile.lexicons.approved_public_names)
    return DeniedNames({INTERNAL_NAMES: internal, VENDORS: vendors}, tuple(public))
