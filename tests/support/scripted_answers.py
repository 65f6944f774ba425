"""A server that says exactly what it was told to say, byte for byte: for answers that no honest server gives."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_CHUNK: Final = 64 * 1024
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")


@dataclass
class ScriptedServer:
    """The address, and every request that came."""

    address: str
    requests: list[bytes] = field(default_factory=list)


def an_answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Return the bytes of an answer."""
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextmanager
def saying(
    parts: Sequence[bytes], *, pause: float = 0.0, context: ssl.SSLContext | None = None
) -> Iterator[ScriptedServer]:
    """Answer every request with these parts, a pause after each, and then close the connection."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme = "https" if context else "http"
        server = ScriptedServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")

        def serve() -> None:
            with suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    with accepted, suppress(OSError):
                        connection = context.wrap_socket(accepted, server_side=True) if context else accepted
                        server.requests.append(_whole_request(connection))
                        for part in parts:
                            connection.sendall(part)
                            ended.wait(pause)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server
        finally:
            ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _whole_request(connection: socket.socket) -> bytes:
    """Read a request to its end: closing a connection with something unread would take the answer back."""
    request = b""
    while not _is_whole(request):
        part = connection.recv(_CHUNK)
        if not part:
            break
        request += part
    return request


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    return bool(end) and len(body) >= (int(length[1]) if length else 0)
