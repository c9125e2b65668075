"""What the tests of transports have in common."""

from __future__ import annotations

import pytest
import trio.testing

#: For how long nothing may have come, in seconds of real time, before nothing is taken to be on its way.
_STILL = 0.02


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """Give a clock that jumps to what is waited for once nothing else happens.

    Not at once, as pytest-trio's does: what goes from one socket to another may be on its way in a busy
    kernel while every task waits. Where it is this process that was not let run, what has come meanwhile is
    looked at first.
    """
    return trio.testing.MockClock(autojump_threshold=_STILL)
