"""Frames out of a stream of bytes, quickly (VTP 2.0, section 3.2)."""

from __future__ import annotations

import attrs


@attrs.define
class Frames:
    """Cuts what one connection brings into payloads."""

    _kept: bytes = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the payloads that they complete."""
        data = self._kept + data if self._kept else data
        payloads = []
        at = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            payloads.append(data[at + 4 : end])
            at = end
        self._kept = data[at:]
        return payloads
