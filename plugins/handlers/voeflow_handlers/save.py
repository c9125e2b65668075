"""The `save` handler: each event's packet in a file of its own."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Literal

import attrs

import voeflow

from ._names import attachment_name, file_name, folder_name

#: Permissions of a file that its owner can read and write, in octal.
_MODE = re.compile(r"0?[67][0-7]{2}")

#: Permissions of a folder that its owner can use, in octal.
_FOLDER_MODE = re.compile(r"0?7[0-7]{2}")

#: Temporary files of this handler, and of nothing else.
_PREFIX, _SUFFIX = ".voeflow-", ".tmp"

#: How many folders are remembered as swept, before the handler forgets and sweeps them again.
_SWEPT_MAX = 1000


def _permissions(instance: object, attribute: attrs.Attribute[str], mode: str) -> None:
    if not _MODE.fullmatch(mode):
        raise ValueError(
            'expected permissions in octal, as "640" for owner and group, that let the owner read and write;'
            f' got "{mode}"'
        )


def _folder_permissions(instance: object, attribute: attrs.Attribute[str], mode: str) -> None:
    if not _FOLDER_MODE.fullmatch(mode):
        raise ValueError(
            'expected permissions in octal, as "750" for owner and group, that let the owner do everything;'
            f' got "{mode}"'
        )


@attrs.define
class Save:
    """Save each event's packet, byte for byte, in a file of its own.

    For an archive, or for programs that watch a directory. A file is whole or not there: it is written under
    another name, forced to disk, and renamed. Its name is made of the IVORN, for people, and of the SHA-256
    of the packet's element, so that no other event's file can have it:

        obspm.gepi_svom_trigger-1.2f0c...e1.xml

    With `attachments = true`, what is kept beside an event that was made of a notice is saved too, before the
    packet, under the same name but for its end: `.notice.json`, `.skymap.fits`.

    An event that is handed over a second time, after a crash or by `voeflow events replay`, writes the same
    file again. Folders are made as needed; nothing is ever deleted but temporary files that an
    interrupted node left behind.

        [handlers.archive]
        plugin = "save"
        directory = "events"
        by = "date"                 # events/2026/11/24/obspm.gepi_svom_trigger-1.2f0c...e1.xml
    """

    directory: Path = attrs.field(
        metadata={"help": "where the files go; made if it is not there; relative to the pipeline file"},
    )
    by: Literal["date", "author"] | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(attrs.validators.in_(("date", "author"))),
        metadata={
            "help": 'sub-folders: "date" for year/month/day of arrival in UTC, "author" for one an'
            " AuthorIVORN; none if left out"
        },
    )
    mode: str = attrs.field(
        default="640",
        validator=_permissions,
        metadata={"help": 'the files\' permissions in octal, whatever the umask: "600", "640", "644"'},
    )
    folder_mode: str = attrs.field(
        default="750",
        validator=_folder_permissions,
        metadata={"help": "the permissions in octal of the folders that are made, less the umask's"},
    )
    attachments: bool = attrs.field(
        default=False,
        metadata={
            "help": "save beside the packet what is kept with an event that was made of a notice: the notice"
            " itself, a sky map"
        },
    )
    _swept: set[Path] = attrs.field(init=False, factory=set, repr=False, eq=False)
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock, repr=False, eq=False)

    def start(self) -> None:
        """Make the directory and see that it can be written.

        Raises:
            OSError: it cannot be made or written; the message names it.
        """
        try:
            self._prepare(self.directory)
            descriptor, probe = _temporary(self.directory)
            os.close(descriptor)
            probe.unlink()
        except OSError as error:
            reason, remedy = (
                error.strerror,
                "make it writable for the user that runs voeflow, or name another",
            )
            if (file := _file_in_its_place(self.directory)) is not None:
                reason, remedy = f"{file} is no directory", "move it away, or name another directory"
            raise OSError(f"cannot write to the directory {self.directory}: {reason} ({remedy})") from error

    def handle(self, event: voeflow.Event) -> None:
        """Write the event's bytes to its file, which is on disk when this returns; attachments to theirs.

        Raises:
            OSError: it cannot be written now; nothing is left behind under the file's own name.
        """
        folder = self.directory / self._folder(event)
        self._prepare(folder)
        mode = int(self.mode, 8)
        if self.attachments:  # first, so that they are there for a program that waits for the packet
            for each in event.attachments:
                _write_whole(
                    folder / attachment_name(event.ivorn, event.digest, each.name), each.content, mode
                )
        _write_whole(folder / file_name(event.ivorn, event.digest), event.raw, mode)

    def _folder(self, event: voeflow.Event) -> str:
        if self.by == "date":
            return event.received.astimezone(UTC).strftime("%Y/%m/%d")
        if self.by == "author":
            return folder_name(event.author)
        return "."

    def _prepare(self, folder: Path) -> None:
        """Make a folder that is not there; remove what an interrupted node left in one that is.

        A crash in the middle of a delivery is followed by the same delivery, to the same folder. So it is
        enough to sweep a folder when it is first used, however large the archive is.
        """
        with self._lock:  # the second thread to need a new folder waits until its name is on disk
            if folder in self._swept and folder.is_dir():
                return
            _make_folder(folder, int(self.folder_mode, 8))
            _sweep(folder)
            if len(self._swept) >= _SWEPT_MAX:
                self._swept.clear()
            self._swept.add(folder)


def _file_in_its_place(folder: Path) -> Path | None:
    """Give what stands where a folder or one of its parents should, and is none."""
    for place in (folder, *folder.parents):
        if place.exists():
            return None if place.is_dir() else place
    return None


def _make_folder(folder: Path, mode: int) -> None:
    """Make a folder and its missing parents, and force their names to disk."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent, mode)
    folder.mkdir(mode=mode, exist_ok=True)
    _sync_folder(folder.parent)


def _write_whole(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that under its name there is at any instant the old content or the new."""
    descriptor, temporary = _temporary(path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _temporary(folder: Path) -> tuple[int, Path]:
    """Create and lock a new file that only this user can read, under a name that only this handler uses."""
    while True:
        path = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with suppress(
            OSError
        ):  # some network file systems have no locks: then `_sweep` leaves the file alone
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():
            return descriptor, path
        os.close(descriptor)  # swept before it was locked, by a handler that has just started beside this one


def _sync_folder(folder: Path) -> None:
    """Force a folder's list of names to disk: a rename is not safe before."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove the temporary files in a folder that nobody is writing: a writer holds a lock on its own."""
    with os.scandir(folder) as entries:
        left = [e.path for e in entries if e.name.startswith(_PREFIX) and e.name.endswith(_SUFFIX)]
    for path in left:
        with suppress(OSError):  # gone meanwhile, not ours, locked: not worth a failed delivery
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(descriptor)
