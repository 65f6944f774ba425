"""Trust for tests: keys that are the same in every run, and versions of trust made of them."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from dagster_project.errors import ChannelsafeError
from dagster_project.integrity.signatures import SigningKey
from dagster_project.integrity.trust import SERVICES, Person, PersonKey, Trust

ADOPTED_AT = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
EXPIRES = datetime(2027, 3, 4, 9, 0, tzinfo=UTC)
REVOKED_AT = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def key(number: int) -> SigningKey:
    """Return one of 255 keys."""
    return SigningKey(bytes([number]) * 32)


def listed(*keys: SigningKey, revoked: Collection[SigningKey] = ()) -> dict[str, PersonKey]:
    """Return keys as a person's, some of them revoked."""
    return {one.keyid: PersonKey(one.public.hex(), REVOKED_AT if one in revoked else None) for one in keys}


def custodian(*keys: SigningKey, roles: tuple[str, ...] = (), revoked: Collection[SigningKey] = ()) -> Person:
    """Return a person who may change trust."""
    return Person(roles=roles, custodian=True, keys=listed(*keys, revoked=revoked))


def reviewer(*keys: SigningKey, roles: tuple[str, ...] = ("security",)) -> Person:
    """Return a person who may decide and may not change trust."""
    return Person(roles=roles, custodian=False, keys=listed(*keys))


PEOPLE: Mapping[str, Person] = {
    "kim": custodian(key(1), roles=("security",)),
    "robin": custodian(key(2), roles=("legal",)),
    "sam": custodian(key(3)),
    "alex": reviewer(key(4)),
}


def sample_trust(
    *,
    version: int = 1,
    threshold: int = 2,
    people: Mapping[str, Person] = PEOPLE,
    deployment: str = "0" * 32,
    demo: bool = False,
    expires: datetime = EXPIRES,
    services: Mapping[str, SigningKey] | None = None,
) -> Trust:
    """Return a version of trust of three custodians and a reviewer, two of whom must sign, or with a member changed."""
    signing = services or dict(zip(SERVICES, (key(101), key(102), key(103)), strict=True))
    return Trust(
        deployment=deployment,
        demo=demo,
        version=version,
        expires=expires,
        threshold=threshold,
        people=dict(people),
        services={service: {one.keyid: one.public.hex()} for service, one in signing.items()},
    )


def code_of(call: Callable[[], object]) -> str:
    """Return the code with which a call refuses, or ``accepted``."""
    try:
        call()
    except ChannelsafeError as error:
        return error.code
    return "accepted"
