"""Trusted state: what an outsider saw last of one package, so that nobody can show them less, or something else.

Belongs here: the record, its one form, and holding what is shown now against it. Where it lies is
`connections.trusted_state_file`'s business. It moves only after everything else was verified.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, NoReturn, TypeAlias

import msgspec

from dagster_project.errors import IntegrityViolation, Unavailable
from dagster_project.integrity.canonical import MAX_SAFE_INTEGER, NotCanonical, canonical_bytes, parse_strict
from dagster_project.integrity.documents import document_of
from dagster_project.integrity.public_trust import PublicTrustChain
from dagster_project.integrity.publication import NEWEST_INDEX, index_path, statement_path
from dagster_project.integrity.published_package import PublishedPackage

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)]
_Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]


class TrustedState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The high-water marks of one package at one outsider.

    Args:
        format: Its name and version.
        deployment: Whose package it is.
        package_id: Which package it is.
        trust: The digests of all versions of public trust, from the first on.
        index_version: The newest index that was verified.
        index_digest: The digest of its bytes.
        index_keys: The ids of the keys that signed it.
        statements: The digests of all release statements by version.
    """

    format: Literal["channelsafe-trusted-state/1"] = "channelsafe-trusted-state/1"
    deployment: str
    package_id: str
    trust: Annotated[tuple[_Digest, ...], msgspec.Meta(min_length=1)]
    index_version: _Count
    index_digest: _Digest
    index_keys: tuple[str, ...]
    statements: Mapping[_Count, _Digest]


def trusted_state_bytes(state: TrustedState) -> bytes:
    """Write trusted state as canonical JSON."""
    return canonical_bytes(document_of(state))


def read_trusted_state(content: bytes, where: str) -> TrustedState:
    """Read trusted state.

    Raises:
        Unavailable: ``trusted_state_unreadable``. It is never taken for none: then anything could be shown.
    """
    try:
        state = msgspec.convert(parse_strict(content), TrustedState, str_keys=True)
        if trusted_state_bytes(state) == content:
            return state
    except (NotCanonical, msgspec.ValidationError):
        pass  # refused below, together with what reads but has another form
    raise Unavailable(
        "trusted_state_unreadable",
        what="this is not the trusted state of a package in its one form",
        where=where,
        what_to_do="Put it back from a copy. Deleting it gives up what protects you from being shown an older state.",
    )


def state_after(chain: PublicTrustChain, package: PublishedPackage) -> TrustedState:
    """Return the trusted state once this package was verified under this trust."""
    return TrustedState(
        deployment=chain.current.deployment,
        package_id=package.index.package_id,
        trust=chain.digests,
        index_version=package.index.index_version,
        index_digest=package.index_digests[-1],
        index_keys=tuple(sorted(package.index_keys)),
        statements={version: one.statement_digest for version, one in package.index.versions.items()},
    )


def check_trust_kept(state: TrustedState, chain: PublicTrustChain) -> None:
    """Refuse public trust that is not what was seen before, or what follows it.

    Raises:
        IntegrityViolation: ``deployment_differs``, ``public_trust_rolled_back`` or ``public_trust_replaced``.
    """
    where = "the public trust file"
    if chain.current.deployment != state.deployment:
        _refuse("deployment_differs", "this is the trust of another deployment than before", where)
    if len(chain.digests) < len(state.trust):
        _refuse("public_trust_rolled_back", "it ends before a version that was seen before", where)
    if chain.digests[: len(state.trust)] != state.trust:
        _refuse("public_trust_replaced", "a version says something else than it did before", where)


def check_package_kept(state: TrustedState, chain: PublicTrustChain, package: PublishedPackage) -> None:
    """Refuse a package that is not what was seen before, or what follows it.

    The mark of the index counts while a key that signed it is still trusted: whoever stole an index key could sign
    indexes far ahead of the publisher's, and replacing the key is the way out (as in TUF, 5.3.11). What a version's
    statement is stays marked for ever.

    Raises:
        IntegrityViolation: ``package_id_differs``, ``index_rolled_back``, ``index_replaced``, ``index_entry_dropped``
            or ``statement_replaced``.
    """
    if package.index.package_id != state.package_id:
        _refuse("package_id_differs", "this is another package than before", NEWEST_INDEX)
    if any(chain.always_trusted(keyid, "index", since=len(state.trust)) for keyid in state.index_keys):
        if package.index.index_version < state.index_version:
            _refuse("index_rolled_back", "the index is older than one that was seen before", NEWEST_INDEX)
        if package.index_digests[state.index_version - 1] != state.index_digest:
            what = "the index says something else than when it was seen before"
            _refuse("index_replaced", what, index_path(state.index_version))
    for version, digest in state.statements.items():
        if version not in package.index.versions:
            _refuse("index_entry_dropped", "a version that was seen is no longer listed", statement_path(version))
        if package.index.versions[version].statement_digest != digest:
            _refuse("statement_replaced", "a version has another statement than before", statement_path(version))


def _refuse(code: str, what: str, where: str) -> NoReturn:
    raise IntegrityViolation(
        code,
        what=what,
        where=where,
        what_to_do="Keep what you had. Somebody shows you less or else than before: ask the publisher, by another way.",
    )
