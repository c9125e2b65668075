"""Frames: however a stream is cut, its payloads are the same, and no more than one is held."""

from __future__ import annotations

from voeflow_transports.vtp._frames import COUNT_SIZE, FrameReader, frame

LIMIT = 512


def one(data: bytes) -> None:
    whole = FrameReader(LIMIT)
    payloads = whole.feed(data)
    size = data[0] % 7 + 1 if data else 1
    cut, pieces = FrameReader(LIMIT), []
    for start in range(0, len(data), size):
        pieces += cut.feed(data[start : start + size])
        assert cut.held <= LIMIT + COUNT_SIZE
    assert pieces == payloads
    assert (cut.too_long, cut.held, cut.partial) == (whole.too_long, whole.held, whole.partial)
    assert all(len(payload) <= LIMIT for payload in payloads)
    assert data.startswith(b"".join(map(frame, payloads)))
