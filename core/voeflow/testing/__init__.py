"""What the author of a plugin tests it with. As public as `voeflow` itself, and kept as stable.

The same is at hand as pytest fixtures, by the pytest plugin that comes with voeflow: `make_event`,
`sample_packets`, `node` and `run_pipeline`. Nothing here needs pytest, and voeflow itself uses none of it.
"""

from __future__ import annotations

from voeflow.testing._events import PacketKeywords, make_event, make_packet
from voeflow.testing._fake_node import FakeNode, Submitted, accept_all
from voeflow.testing._node import LiveNode, running_node
from voeflow.testing._peers import FakeAuthor, FakePeer, FakeSubscriber, Receipt
from voeflow.testing._pipelines import Failure, Outcome, UndeliveredError, run_pipeline
from voeflow.testing._samples import REFUSED_SAMPLES, SAMPLES, sample_event, sample_packet
from voeflow.testing._simulation import StalledError, simulate, time_is

__all__ = [
    "REFUSED_SAMPLES",
    "SAMPLES",
    "Failure",
    "FakeAuthor",
    "FakeNode",
    "FakePeer",
    "FakeSubscriber",
    "LiveNode",
    "Outcome",
    "PacketKeywords",
    "Receipt",
    "StalledError",
    "Submitted",
    "UndeliveredError",
    "accept_all",
    "make_event",
    "make_packet",
    "run_pipeline",
    "running_node",
    "sample_event",
    "sample_packet",
    "simulate",
    "time_is",
]
