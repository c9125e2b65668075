"""The lock that keeps a second node from a store that is in use."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from voeflow._errors import StoreError

#: The mode of every file of a store: its owner's, and its group's to read. Packets may be proprietary.
PRIVATE = 0o640


def acquire(store: Path) -> int:
    """Take the lock of the store at `store`, in the file beside it whose name ends in `.lock`.

    The lock is the operating system's (flock), so that it goes with the process however that dies. The file
    stays behind, since removing it would let two nodes hold two files of one name.

    Returns:
        The open lock file's descriptor, for `release`.

    Raises:
        StoreError: another process holds it, or the file cannot be made.
    """
    path = store.with_name(store.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise cannot_make(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        process = f"process {holder}" if holder.isdigit() else "its process is not known"
        raise StoreError(
            f"store {store} is held by another node ({process}): "
            "stop that one, or give this one a store of its own"
        ) from None
    except OSError as error:
        os.close(descriptor)
        raise cannot_make(path, error) from error
    return descriptor


def release(descriptor: int) -> None:
    """Give back the lock that `acquire` took."""
    os.close(descriptor)


def cannot_make(path: Path, error: OSError) -> StoreError:
    """Say why a file of the store cannot be made, and what to do."""
    if isinstance(error, FileNotFoundError):
        todo = f"make the directory {path.parent}, or name another store"
    elif isinstance(error, PermissionError):
        todo = f"let the user that runs voeflow write in {path.parent}, or name another store"
    else:
        todo = "mend that, or name another store"
    return StoreError(f"cannot open {path}: {error.strerror}: {todo}")
