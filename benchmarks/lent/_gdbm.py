"""GNU dbm for an interpreter that was built without it: what Comet needs of `dbm.gnu`, and no more.

Comet keeps its event database in whatever `dbm` finds. An interpreter without its `_gdbm` module falls to
`dbm.dumb`, which rewrites the whole index at every event; to be quicker than that would prove nothing. Most
systems have the C library all the same, so Comet is lent this module over it, on its `PYTHONPATH`. It calls
the same functions as CPython's own `_gdbm` and, as that does, keeps the GIL meanwhile.
"""

from __future__ import annotations

import ctypes
import os
from typing import NoReturn

_LIBRARY = "libgdbm.so.6"
_READER, _WRITER, _CREATE, _NEW = 0, 1, 2, 3
_REPLACE = 1
_FLAGS = {"r": _READER, "w": _WRITER, "c": _CREATE, "n": _NEW}


class GnuDbmError(OSError):
    """GNU dbm could not do it."""


error = GnuDbmError  # the name that `dbm` knows it by


class _Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_int))


_gdbm = ctypes.PyDLL(_LIBRARY, use_errno=True)
_gdbm.gdbm_open.restype = ctypes.c_void_p
_gdbm.gdbm_open.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
_gdbm.gdbm_close.argtypes = (ctypes.c_void_p,)
_gdbm.gdbm_exists.argtypes = (ctypes.c_void_p, _Datum)
_gdbm.gdbm_store.argtypes = (ctypes.c_void_p, _Datum, _Datum, ctypes.c_int)


def _fail(what: str) -> NoReturn:
    number = ctypes.get_errno()
    raise GnuDbmError(number, f"{what}: {os.strerror(number)}")


def _datum(value: str | bytes) -> _Datum:
    raw = value.encode() if isinstance(value, str) else value
    return _Datum(raw, len(raw))


class _Database:
    """An open database: `in`, item assignment and `close`."""

    def __init__(self, path: str, flag: int, mode: int) -> None:
        self._handle = _gdbm.gdbm_open(os.fsencode(path), 0, flag, mode, None)
        if not self._handle:
            _fail(path)

    def __contains__(self, key: str | bytes) -> bool:
        return bool(_gdbm.gdbm_exists(self._handle, _datum(key)))

    def __setitem__(self, key: str | bytes, value: str | bytes) -> None:
        if _gdbm.gdbm_store(self._handle, _datum(key), _datum(value), _REPLACE) != 0:
            _fail("gdbm_store")

    def close(self) -> None:
        """Write what is not written, and close; twice is harmless."""
        if self._handle:
            _gdbm.gdbm_close(self._handle)
            self._handle = None


def open(path: str, flag: str = "r", mode: int = 0o666) -> _Database:  # noqa: A001 - `dbm` calls it so
    """Open a database, as `dbm.open` does."""
    return _Database(path, _FLAGS[flag[0]], mode)
