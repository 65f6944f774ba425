"""Seeking words in every byte of a folder: as they stand, as they are spelled, and inside what is packed or paged."""

import base64
import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

import duckdb

_ZLIB_HEADERS: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_SQLITE: Final = b"SQLite format 3\x00"
_DUCKDB: Final = b"DUCK"
_LARGEST: Final = 64 * 1024 * 1024
_LOOK: Final = 512


def found_at_rest(folder: Path, words: Mapping[str, str]) -> dict[str, set[str]]:
    """Return in which files which of the words are, by what each word is called.

    Args:
        folder: Everything below it is looked at.
        words: By a name of each; at least six characters, so that none is met by chance.
    """
    forms = {name: forms_of(word) for name, word in words.items()}
    found: dict[str, set[str]] = {}
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        named = str(path.relative_to(folder)).encode()
        for content in chain([named], contents_of(path)):
            low = content.lower()
            hits = {name for name, spelled in forms.items() if any(form in low for form in spelled)}
            if hits:
                found.setdefault(str(path.relative_to(folder)), set()).update(hits)
    return found


def forms_of(word: str) -> frozenset[bytes]:
    """Return the ways in which a word may be spelled, in lower case."""
    assert len(word) >= 6
    texts = {word, json.dumps(word)[1:-1], repr(word)[1:-1]}
    plain = {text.encode(code) for text in texts for code in ("utf-8", "utf-16-le")}
    encoded = {one for text in texts for one in (text.encode().hex().encode(), *_base64_of(text.encode()))}
    return frozenset(one.lower() for one in plain | encoded)


def _base64_of(data: bytes) -> Iterator[bytes]:
    """Yield what base64 makes of bytes wherever they begin, without what depends on their neighbours."""
    for before in range(3):
        spelled = base64.b64encode(b"\x00" * before + data)
        yield spelled[4 if before else 0 : len(spelled) // 4 * 4 - 4]


def contents_of(path: Path) -> Iterator[bytes]:
    """Yield everything that a file says: its bytes, what is packed in them, and the rows of a database."""
    raw = path.read_bytes()
    yield from unpacked(raw)
    if raw.startswith(_SQLITE):
        yield from _sqlite_rows(path)
    if raw[8:12] == _DUCKDB:
        yield from _duckdb_rows(path)


def unpacked(raw: bytes, depth: int = 0) -> Iterator[bytes]:
    """Yield bytes, and what any archive or compressed stream in them holds."""
    yield raw
    if depth > 2:
        return
    for inner in chain(_archived(raw), _inflated(raw)):
        yield from unpacked(inner, depth + 1)


def _archived(raw: bytes) -> Iterator[bytes]:
    if zipfile.is_zipfile(io.BytesIO(raw)):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if len(raw) > 262 and raw[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive_:
            files = (archive_.extractfile(member) for member in archive_.getmembers() if member.isfile())
            yield from (file.read() for file in files if file is not None)


def _inflated(raw: bytes) -> Iterator[bytes]:
    for header, how in ((b"\x1f\x8b\x08", 31), *((one, 15) for one in _ZLIB_HEADERS)):
        at = raw.find(header)
        while at >= 0:
            # Two bytes that look like a header are met by chance; what follows then goes wrong soon.
            if len(_inflated_from(raw[at : at + _LOOK], how)) > 8:
                yield _inflated_from(raw[at:], how)
            at = raw.find(header, at + 1)


def _inflated_from(packed: bytes, how: int) -> bytes:
    try:
        return zlib.decompressobj(how).decompress(packed, _LARGEST)
    except zlib.error:
        return b""


def _sqlite_rows(path: Path) -> Iterator[bytes]:
    """Yield every value: a long one lies in pieces on pages that need not follow one another."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            yield from _values(connection.execute(f'SELECT * FROM "{table}"'))  # noqa: S608 - the file's own name
    connection.close()


def _duckdb_rows(path: Path) -> Iterator[bytes]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
        for schema, table in tables:
            rows = connection.execute(f'SELECT * FROM "{schema}"."{table}"')  # noqa: S608 - the file's own names
            yield from _values(rows.fetchall())


def _values(rows: Iterable[Iterable[object]]) -> Iterator[bytes]:
    """Yield the values of rows as a few large pieces, and what is packed in any that are bytes."""
    texts: list[bytes] = []
    for value in chain.from_iterable(rows):
        if isinstance(value, bytes):
            yield from unpacked(value)
        else:
            texts.append(str(value).encode())
    yield b"\n".join(texts)


def packed_samples(word: str) -> dict[str, bytes]:
    """Return bytes in each of which the word is hidden in another way: for the test of this module itself."""
    plain = f'{{"note": "{word}"}}'.encode() * 3
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("inner.json", plain)
    return {
        "plain": plain,
        "upper case": plain.upper(),
        "utf-16": plain.decode().encode("utf-16-le"),
        "base64": b"xx" + base64.b64encode(b"?" + plain),
        "hexadecimal": plain.hex().encode(),
        "zlib": b"\x00before" + zlib.compress(plain) + b"after",
        "gzip": gzip.compress(plain),
        "zip": archive.getvalue(),
        "gzip in a zip": gzip.compress(archive.getvalue()),
    }
