"""Fixtures of the tests that run real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Give a stage for real processes, ended with the test; no node on it may have met a bug of its own."""
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        stage.close()
    for node in stage.nodes():
        assert not any(line.startswith("Traceback") for line in node.lines()), node.transcript()
        # What a plugin raises is traced at the level debug; at any other, a trace is of our own code.
        traced = [each for each in node.records() if "exception" in each and each["level"] != "debug"]
        assert not traced, node.transcript()
