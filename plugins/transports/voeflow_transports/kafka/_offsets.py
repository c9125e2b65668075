"""What of a partition is done: the offset that may be committed, and never one too far."""

from __future__ import annotations

from collections import deque

import attrs


@attrs.define(eq=False)
class Place:
    """One message under way.

    Attributes:
        offset: its place in the partition.
        done: whether it is stored, known, refused or passed.
        position: its event's place in the node's log, by which it is known to be delivered; 0 where there is
            none to wait for.
    """

    offset: int
    done: bool = False
    position: int = 0


@attrs.define(eq=False)
class Offsets:
    """The messages of a partition in their order, until all before them are done too.

    Attributes:
        committed: the offset up to which was committed, or was last asked to be; -1 for nothing yet.
    """

    committed: int = -1
    _next: int = -1
    _open: deque[Place] = attrs.field(factory=deque, init=False)

    def begin(self, offset: int) -> Place:
        """Note a message that was read; they come in the order of their offsets, with gaps perhaps."""
        place = Place(offset)
        self._open.append(place)
        return place

    def due(self, delivered_up_to: int | None) -> int | None:
        """Give the offset to commit, the first that is not done, or None if that is committed.

        Args:
            delivered_up_to: the position in the node's log up to which events must be delivered to count as
                done; None if it is enough that they are stored.
        """
        while self._open and self._open[0].done:
            if delivered_up_to is not None and self._open[0].position > delivered_up_to:
                break
            self._next = self._open.popleft().offset + 1
        return self._next if self._next > self.committed else None

    @property
    def waits(self) -> bool:
        """Whether the first message that is not committed is stored, and its event not yet delivered."""
        return bool(self._open) and self._open[0].done

    def __len__(self) -> int:
        return len(self._open)
