"""What sources note of how far they have come, until the store has it."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
import trio

from voeflow._errors import StoreError
from voeflow._store import Store

log = structlog.get_logger()


class Bookmarks:
    """The bookmarks of every source; see `voeflow.Node.bookmark`.

    They are written after the events that they speak of, in a later transaction of the same log, so that
    neither a crash nor a power cut can leave one that is ahead of them.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unsaved: dict[tuple[str, str], str] = {}
        self._writing = trio.Lock()  # so that what was noted first is not written last

    def note(self, source: str, name: str, value: str) -> None:
        """Note something, to be written with the next `save`."""
        self._unsaved[source, name] = value

    async def of(self, source: str) -> Mapping[str, str]:
        """Give what a source has noted, by the names it gave; it is all in the store then.

        Raises:
            StoreError: the store cannot be written or read.
        """
        await self._write()
        return await trio.to_thread.run_sync(self._store.bookmarks, source)

    async def save(self) -> bool:
        """Write what was noted since the last time; False if that failed."""
        try:
            await self._write()
        except StoreError as error:
            log.debug("bookmarks could not be written", reason=str(error))
            return False
        return True

    async def _write(self) -> None:
        async with self._writing:
            if not self._unsaved:
                return
            noted = dict(self._unsaved)
            rows = [(source, name, value) for (source, name), value in noted.items()]
            await trio.to_thread.run_sync(self._store.save_bookmarks, rows)
            for key, value in noted.items():
                if self._unsaved[key] == value:  # else it was replaced meanwhile
                    del self._unsaved[key]
