"""The example's packets, and hours to judge them at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import voeflow

EXAMPLE = Path(__file__).parents[1]
#: An hour at which it is night on La Palma, without the Moon and with the first packet's burst high; one at
#: which it is day; and one of a night with a full Moon.
NIGHT = datetime(2026, 12, 10, 2, 0, tzinfo=UTC)
NOON = datetime(2026, 12, 10, 12, 0, tzinfo=UTC)
MOONLIT = datetime(2026, 12, 24, 2, 0, tzinfo=UTC)


def packet(number: int, *replace: tuple[str, str], received: datetime = NIGHT) -> voeflow.Event:
    """Read one of the packets by the number it begins with, some of its text replaced."""
    (path,) = EXAMPLE.glob(f"packets/{number:02}-*.xml")
    text = path.read_text()
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    return voeflow.Event.parse(text.encode(), received=received)
