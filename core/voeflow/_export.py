"""Packets, and what is kept beside them, out of the store: into a directory, a tar archive or JSON lines.

Every exporter takes one event at a time and keeps none. What it writes is there as a whole under its name, or
not at all.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from voeflow._packet_names import attachment_name, packet_name
from voeflow._store_records import StoredEvent

#: Writes one event.
Write: TypeAlias = Callable[[StoredEvent], None]

#: The permissions of what is written, less the umask's: packets may be proprietary.
_MODE = 0o640
_FOLDER_MODE = 0o750

#: The folder in a tar archive that holds the packets, so that unpacking makes one entry.
_FOLDER = "events"

#: The unit of a tar archive, and what its end is filled up to, in bytes (POSIX, pax).
_BLOCK, _RECORD = 512, 10240

#: How the names of archives and other files end that are written by none of the exporters: a directory of
#: such a name is hardly what is meant.
_NEITHER = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".json", ".xml", ".txt", ".csv", ".db")


def exporter(
    target: Path, *, force: bool, facts: Callable[[StoredEvent], dict[str, Any]]
) -> AbstractContextManager[Write]:
    """Give the exporter for a target, by how its name ends.

    Args:
        target: a name that ends in `.tar`, `.tar.gz`, `.tgz` or `.jsonl`, or else a directory.
        force: replace files that are there.
        facts: what a JSON line has of an event beside its packet.

    Returns:
        What gives, for a `with` block, the function that writes an event. The block raises OSError where the
        target cannot be written, FileExistsError if it is there and is not to be replaced.

    Raises:
        ValueError: the name is one of neither a directory nor a file that can be written.
    """
    name = target.name.lower()
    if target.is_dir():
        return _directory(target, force=force)
    if name.endswith(".jsonl"):
        return _json_lines(target, force=force, facts=facts)
    if name.endswith((".tar", ".tar.gz", ".tgz")):
        return _tar(target, force=force, packed=not name.endswith(".tar"))
    if name.endswith(_NEITHER):
        raise ValueError("expected the name of a directory, or one ending in .tar, .tar.gz or .jsonl")
    return _directory(target, force=force)


@contextmanager
def _directory(target: Path, *, force: bool) -> Iterator[Write]:
    """Write each file of an event; one that is there with the same bytes is left alone."""
    target.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    def write(stored: StoredEvent) -> None:
        for name, content in _files(stored):
            path = target / name
            if not force and path.exists() and path.read_bytes() == content:
                continue
            with _whole_file(path, force=force, sync=False) as file:
                file.write(content)

    yield write
    os.sync()  # once, where forcing each of a million small files to disk would take hours


@contextmanager
def _json_lines(
    target: Path, *, force: bool, facts: Callable[[StoredEvent], dict[str, Any]]
) -> Iterator[Write]:
    """Write one JSON object a line: an event's facts, and its packet and attachments in base64 as `raw`."""
    with _whole_file(target, force=force, sync=True) as file:

        def write(stored: StoredEvent) -> None:
            attachments = [
                {
                    "name": each.name,
                    "media_type": each.media_type,
                    "bytes": len(each.content),
                    "raw": _base64(each.content),
                }
                for each in stored.attachments
            ]
            line = {**facts(stored), "raw": _base64(stored.raw), "attachments": attachments}
            file.write(json.dumps(line, ensure_ascii=True).encode("ascii") + b"\n")

        yield write


@contextmanager
def _tar(target: Path, *, force: bool, packed: bool) -> Iterator[Write]:
    """Write each file of an event as one of an archive, dated by their arrival.

    Not through `TarFile`, which remembers every member.
    """
    with _whole_file(target, force=force, sync=True) as file:
        out: BinaryIO | gzip.GzipFile = (
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) if packed else file
        )
        size = 0

        def write(stored: StoredEvent) -> None:
            nonlocal size
            for name, content in _files(stored):
                member = tarfile.TarInfo(f"{_FOLDER}/{name}")
                member.size, member.mtime, member.mode = len(content), int(stored.received), _MODE
                for part in (member.tobuf(tarfile.PAX_FORMAT), content, bytes(-len(content) % _BLOCK)):
                    size += out.write(part)

        yield write
        out.write(bytes(2 * _BLOCK + -(size + 2 * _BLOCK) % _RECORD))
        if packed:
            out.close()


def _files(stored: StoredEvent) -> Iterator[tuple[str, bytes]]:
    """Give the names and contents of an event's files: the packet, and what is kept beside it."""
    yield packet_name(stored.ivorn, stored.digest), stored.raw
    for each in stored.attachments:
        yield attachment_name(stored.ivorn, stored.digest, each.name), each.content


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


@contextmanager
def _whole_file(path: Path, *, force: bool, sync: bool) -> Iterator[BinaryIO]:
    """Give a file that has its name once the block ends well, and is gone if it does not."""
    _refuse_to_replace(path, force=force)
    temporary = path.with_name(f".voeflow-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _MODE)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        _refuse_to_replace(path, force=force)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _refuse_to_replace(path: Path, *, force: bool) -> None:
    if not force and os.path.lexists(path):
        raise FileExistsError(17, "there is such a file already; --force replaces it", str(path))
