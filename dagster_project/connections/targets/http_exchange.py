"""One HTTP exchange with another system: bounded in time and size, and honest about what may have been sent.

Belongs here: connecting, sending one request and reading its whole answer. Does not belong here: what an answer means
(`http`). Redirects are answers like others: nothing follows them. No proxy is used, and a connection serves once.
"""

import http.client
import ipaddress
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec

from dagster_project.errors import UsageError

LARGEST_ANSWER: Final = 256 * 1024
DEFAULT_SECONDS: Final = 10.0
_SCHEMES: Final = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class NotSent(Exception):
    """No connection came about, so nothing was sent."""


class NoAnswer(Exception):
    """Something may have been sent, and no whole answer came back in time."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpSystem:
    """Where a system is reached. `token` is a secret: it is shown in no text. `seconds` bounds one exchange."""

    scheme: str
    host: str
    port: int | None
    path: str
    token: str | None = field(repr=False)
    seconds: float


def http_system(url: str, *, token: str | None = None, seconds: float = DEFAULT_SECONDS) -> HttpSystem:
    """Judge the address of a system.

    Args:
        url: ``https://host[:port][/path]``; ``http://`` too, but with a token only to this machine.
        token: Sent as a bearer token; None where the system asks for none.
        seconds: How long connecting may take, and then how long sending and answering together may take.

    Raises:
        UsageError: another scheme, no host, a user, password, query or fragment in the address, a token that no
            header can carry, or a token that would travel unencrypted.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused_address("it cannot be read") from None
    if parts.scheme not in _SCHEMES or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise _refused_address("it is no http(s) address")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise _refused_address("it has a user, password, query or fragment")
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        raise _refused_address("its token cannot be sent")
    if token is not None and parts.scheme != "https" and not _is_this_machine(host):
        raise _refused_address("its token would travel unencrypted")
    return HttpSystem(
        scheme=parts.scheme, host=host, port=port, path=parts.path.rstrip("/"), token=token, seconds=seconds
    )


def exchange(system: HttpSystem, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """Send one request and return its answer, whatever its status.

    Args:
        system: Where to.
        method: GET or PUT.
        path: Below the system's own path, percent-encoded, from "/" on.
        headers: Names and values that a header can carry.
        body: None for none.

    Raises:
        NotSent: nothing was sent.
        NoAnswer: the answer did not come, broke off, is larger than 256 KiB or took longer than `system.seconds`.
    """
    connection = _SCHEMES[system.scheme](system.host, system.port, timeout=system.seconds)
    try:
        connection.connect()
    except OSError:
        connection.close()
        raise NotSent from None
    try:
        return _converse(connection, system, method, path, headers, body)
    finally:
        connection.close()


def _converse(
    connection: http.client.HTTPConnection,
    system: HttpSystem,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> Answer:
    # A server that sends a byte now and then never falls silent: at the deadline the connection is cut from outside.
    cut = threading.Event()
    deadline = threading.Timer(system.seconds, _cut, (connection.sock, cut))
    deadline.daemon = True
    deadline.start()
    try:
        connection.request(method, system.path + path, body=body, headers={**_common(system), **headers})
        response = connection.getresponse()
        with response:
            content = response.read(LARGEST_ANSWER + 1)
            is_whole = len(content) <= LARGEST_ANSWER and not response.length
    except (OSError, http.client.HTTPException):
        raise NoAnswer from None
    finally:
        deadline.cancel()
    if cut.is_set() or not is_whole:
        raise NoAnswer
    names = {name.lower() for name, _ in response.getheaders()}
    return Answer(status=response.status, headers={name: response.getheader(name, "") for name in names}, body=content)


def _cut(connected: socket.socket, cut: threading.Event) -> None:
    cut.set()
    try:
        # The plain socket's way: that of TLS would let the waiting reader go on with what is still encrypted.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _common(system: HttpSystem) -> Mapping[str, str]:
    plain = {"Accept": "application/json", "Connection": "close"}
    return plain if system.token is None else {**plain, "Authorization": f"Bearer {system.token}"}


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refused_address(why: str) -> UsageError:
    return UsageError(
        "target_address_refused",
        what=f"the address of a target cannot be used: {why}",
        where="the settings of the support systems",
        what_to_do="Write https://HOST[:PORT][/PATH]; give the token in the environment, never in the address.",
    )
