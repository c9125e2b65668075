"""Events: any bytes are a packet, with every fact of it readable, or refused in words that can be shown."""

from __future__ import annotations

import voeflow


def one(data: bytes) -> None:
    try:
        event = voeflow.Event.parse(data, max_bytes=2**16)
    except voeflow.EventError as error:
        assert voeflow.printable(str(error), 10_000) == str(error), str(error)
        return
    assert event.raw is data
    assert event.element in data
    assert len(event.digest) == 32
    assert repr(event).isprintable()
    for fact in ("ivoid", "date", "time", "position", "description", "citations", "params", "groups"):
        getattr(event, fact)
    assert event.ivorn.lower().startswith("ivo://")
    assert event.ivorn.isprintable() or not any(c in "\r\n\t\x1b" for c in event.ivorn)
    position = event.position
    if position is not None:
        assert 0 <= position.ra < 360 or position.ra == 360
        assert -90 <= position.dec <= 90
        assert position.error is None or position.error > 0
    for defect in event.defects:
        assert str(defect).isprintable(), str(defect)
    again = voeflow.Event.parse(data, max_bytes=2**16)
    assert (again.digest, again.ivorn) == (event.digest, event.ivorn)
