"""Waiting for a credential that is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
import trio

from ._credentials import CredentialError

log = structlog.get_logger()

_Credential = TypeVar("_Credential")

#: How long until a credential is looked for again, in seconds: one that somebody is just mending.
_LOOK_AGAIN = 30.0

#: How often it is told that there is none.
_TOLD_EVERY = 3600.0


async def credential_of(find: Callable[[], _Credential], transport: str) -> _Credential:
    """Look for a credential until there is one, and tell what is missing.

    Args:
        find: looks once; run in a worker thread, for it may read a file. Raises `CredentialError`.
        transport: the name of the transport's table, for the log.
    """
    told_at, told = -_TOLD_EVERY, ""
    while True:
        try:
            return await trio.to_thread.run_sync(find)
        except CredentialError as error:
            now = trio.current_time()
            if str(error) != told or now >= told_at + _TOLD_EVERY:
                told_at, told = now, str(error)
                log.error("cannot log in", transport=transport, reason=told)
        await trio.sleep(_LOOK_AGAIN)
