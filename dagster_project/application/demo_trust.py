"""Demo trust: people, keys and ceremony in one go, for the demo and for tests.

Belongs here: making such trust. Everybody's private key passes through this one process, which is what real trust
must never have: trust made with ``demo=True`` says so of itself, and only the demo's store accepts it.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from dagster_project.application.trust import adopt
from dagster_project.application.workspace import Workspace
from dagster_project.integrity.signatures import SigningKey
from dagster_project.integrity.trust import LEAST_THRESHOLD, SERVICES, Person, PersonKey, Trust
from dagster_project.integrity.trust_succession import sign_trust
from dagster_project.store.signing_files import add_service_keys, new_signing_key

# The demo's clock stands in the past of the machine's: its trust must hold at both.
DEMO_LIFE: Final = timedelta(days=3650)


def make_demo_trust(
    workspace: Workspace, people: Mapping[str, Collection[str]], *, demo: bool
) -> dict[str, SigningKey]:
    """Make keys and adopt the first version of trust, in which everybody is a custodian.

    Args:
        workspace: A deployment without trust.
        people: The roles of every person, by person id.
        demo: Whether it is demo trust: one custodian can change it then, else two must.

    Returns:
        The private key of every person.

    Raises:
        UnsafeOrRejected: demo trust in a store that the demo did not make, or trust that could not hold; the code says
            why.
        Unavailable: the key files cannot be written.
    """
    keys = {person: new_signing_key() for person in people}
    services = {service: new_signing_key() for service in SERVICES}
    trust = Trust(
        deployment=secrets.token_hex(16),
        demo=demo,
        version=1,
        expires=workspace.clock.now() + DEMO_LIFE,
        threshold=1 if demo else LEAST_THRESHOLD,
        people={
            person: Person(
                roles=tuple(sorted(roles)),
                custodian=True,
                keys={keys[person].keyid: PersonKey(keys[person].public.hex(), revoked_at=None)},
            )
            for person, roles in people.items()
        },
        services={service: {key.keyid: key.public.hex()} for service, key in services.items()},
    )
    with workspace.store.begin() as transaction:
        add_service_keys(workspace.settings.keys, services)
        adopt(workspace, transaction, sign_trust(trust, list(keys.values())), None)
    return keys
