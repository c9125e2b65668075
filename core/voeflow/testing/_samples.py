"""Sample packets: a burst's story, every role and version, and what is untidy in real streams."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources

from voeflow._event import Event
from voeflow._names import nearest

#: The packets that are VOEvents, by name. All keep to their grammar but `bad-grammar`; the text of
#: `untrusted-text` is what an attacker would write.
SAMPLES = (
    "burst",
    "burst-refined",
    "burst-retraction",
    "no-position",
    "unknown-error",
    "prediction",
    "utility",
    "test",
    "version-1.1",
    "version-2.1",
    "latin-1",
    "bad-grammar",
    "untrusted-text",
)

#: Those that no node takes: without an IVORN, with a DOCTYPE, not to the end, and no VOEvent at all.
REFUSED_SAMPLES = ("no-ivorn", "doctype", "cut-short", "no-voevent")

#: When a sample came in, if the test does not say so: a minute after it was written.
RECEIVED = datetime(2026, 11, 24, 1, 3, 3, tzinfo=UTC)


def sample_packet(name: str) -> bytes:
    """Give a sample packet, byte for byte the same each time.

    Args:
        name: one of `SAMPLES` or `REFUSED_SAMPLES`.

    Raises:
        ValueError: there is no sample of that name.
    """
    if name not in SAMPLES and name not in REFUSED_SAMPLES:
        hint = nearest(name, SAMPLES + REFUSED_SAMPLES, "samples")
        raise ValueError(f"there is no sample packet {name!r}: {hint}")
    packets = resources.files("voeflow.testing") / "packets"
    return ((packets / "refused" if name in REFUSED_SAMPLES else packets) / f"{name}.xml").read_bytes()


def sample_event(name: str, *, source: str = "", received: datetime = RECEIVED) -> Event:
    """Give a sample as an event.

    Args:
        name: one of `SAMPLES`.
        source: the name of the transport's table that it came in through.
        received: when it came in, with a time zone.

    Raises:
        ValueError: there is no sample of that name.
        voeflow.EventError: it is one of `REFUSED_SAMPLES`.
    """
    return Event.parse(sample_packet(name), source=source, received=received)
