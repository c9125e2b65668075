"""What a `save` handler has saved."""

from __future__ import annotations

from pathlib import Path

import attrs

from faults.authors import Book


@attrs.define
class Archive:
    """The packets in a directory, each file read once.

    Attributes:
        directory: where they are; it may not be there yet.
        book: what was sent.
    """

    directory: Path
    book: Book
    _read: dict[str, str] = attrs.field(factory=dict, init=False)

    def ivorns(self) -> list[str]:
        """Give the IVORN of each file that holds, byte for byte, what was sent; of any other its name."""
        for path in self.directory.glob("*.xml"):
            if path.name not in self._read:
                self._read[path.name] = self._recognised(path)
        return list(self._read.values())

    def _recognised(self, path: Path) -> str:
        packet = path.read_bytes()
        start = packet.find(b'ivorn="') + len(b'ivorn="')
        ivorn = packet[start : packet.find(b'"', start)].decode("utf-8", "replace")
        return ivorn if self.book.sent.get(ivorn) == packet else f"the changed packet {path.name}"
