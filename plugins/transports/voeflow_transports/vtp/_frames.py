"""Frames: a four-byte big-endian count, then that many bytes of payload (VTP 2.0, section 3.2)."""

from __future__ import annotations

import struct

import attrs

_COUNT = struct.Struct("!I")
COUNT_SIZE = _COUNT.size

#: The greatest payload whose length the count can tell.
MAX_PAYLOAD = 2**32 - 1


def frame(payload: bytes) -> bytes:
    """Put the count before `payload`.

    Raises:
        ValueError: the payload is longer than a count can tell.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a frame carries at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    return _COUNT.pack(len(payload)) + payload


@attrs.define(eq=False, repr=False)
class FrameReader:
    """Cuts a stream of bytes into payloads.

    It never holds more than one payload of `limit` bytes and the count before it, since the count is judged
    before anything after it is kept. Every byte is copied a bounded number of times, however the stream was
    cut.

    Attributes:
        limit: the longest payload that is taken, in bytes. The standard names no bound (section 3.2), and a
            count that nobody checks lets a peer ask for 4 GiB.
        too_long: the length that a count announced above `limit`, else None. Once it is set nothing more
            is read, for there is no telling where the next frame starts.
        partial: whether a frame has begun and not ended.
        held: how many bytes of an unfinished frame are kept.
    """

    limit: int
    too_long: int | None = attrs.field(default=None, init=False)
    partial: bool = attrs.field(default=False, init=False)
    held: int = attrs.field(default=0, init=False)
    _kept: bytearray = attrs.field(factory=bytearray, init=False)
    _wanted: int | None = attrs.field(default=None, init=False)  # the payload's length once its count is read

    @property
    def missing(self) -> int:
        """How many bytes the frame that has begun still wants, its count first; at least 1."""
        return (COUNT_SIZE if self._wanted is None else self._wanted) - len(self._kept)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream.

        Returns:
            The payloads that they complete, in order; look at `too_long` afterwards.
        """
        payloads: list[bytes] = []
        if self.too_long is not None:
            return payloads
        at, size, wanted = 0, len(data), self._wanted
        while wanted is not None or at < size:
            if wanted is None:
                if not self._kept and size - at >= COUNT_SIZE:  # nearly always
                    (wanted,) = _COUNT.unpack_from(data, at)
                    at += COUNT_SIZE
                else:
                    at = self._keep(data, at, COUNT_SIZE)
                    if len(self._kept) < COUNT_SIZE:
                        break
                    (wanted,) = _COUNT.unpack(self._kept)
                    self._kept.clear()
                if wanted > self.limit:
                    self.too_long, wanted = wanted, None
                    break
            if not self._kept and size - at >= wanted:  # whole in this piece: one copy
                payloads.append(data[at : at + wanted])
                at += wanted
            else:
                at = self._keep(data, at, wanted)
                if len(self._kept) < wanted:
                    break
                payloads.append(bytes(self._kept))
                self._kept = bytearray()
            wanted = None
        self._wanted, self.held = wanted, len(self._kept)
        self.partial = wanted is not None or self.held > 0
        return payloads

    def _keep(self, data: bytes, at: int, upto: int) -> int:
        """Keep from `data[at:]` what brings the kept bytes to `upto`; return where the rest starts."""
        end = at + upto - len(self._kept)
        self._kept += data[at:end]
        return min(end, len(data))
