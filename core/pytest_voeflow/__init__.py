"""The pytest plugin that comes with voeflow: fixtures over `voeflow.testing`.

It is a package of its own, for pytest imports it in every environment in which voeflow is installed: it
imports nothing of voeflow before a test asks for one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from voeflow import Event
    from voeflow.testing import FakeNode, Outcome


@pytest.fixture
def make_event() -> Callable[..., Event]:
    """Make a valid VOEvent from keywords; see `voeflow.testing.make_event`."""
    from voeflow.testing import make_event

    return make_event


@pytest.fixture
def sample_packets() -> Mapping[str, bytes]:
    """The sample packets that are VOEvents, by name; see `voeflow.testing.SAMPLES`."""
    from voeflow.testing import SAMPLES, sample_packet

    return {name: sample_packet(name) for name in SAMPLES}


@pytest.fixture
def node() -> FakeNode:
    """A node in memory, to run a transport on; see `voeflow.testing.FakeNode`."""
    from voeflow.testing import FakeNode

    return FakeNode()


@pytest.fixture
def run_pipeline(tmp_path: Path) -> Callable[..., Outcome]:
    """Run a pipeline over events, in `tmp_path`; see `voeflow.testing.run_pipeline`."""
    from voeflow.testing import run_pipeline

    return partial(run_pipeline, directory=tmp_path)
