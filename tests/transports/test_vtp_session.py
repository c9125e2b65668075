"""A subscriber's connection that ends while events are in hand."""

from __future__ import annotations

import socket
import struct

import trio

import voeflow
from support.samples import voevent
from transports.vtp_node import FakeNode, accept_all, listening, running
from transports.vtp_support import clock
from voeflow_transports.vtp._messages import write_iamalive
from voeflow_transports.vtp._resume import STAGE
from voeflow_transports.vtp.subscribe import VTPSubscribe

ONE, TWO, THREE = (voevent(f"ivo://a.b/c#{number}") for number in (1, 2, 3))


async def test_after_an_event_that_is_not_taken_no_other_is() -> None:
    submitted, go = trio.Event(), trio.Event()

    async def slow(raw: bytes) -> voeflow.Submission:
        submitted.set()
        await go.wait()
        return await accept_all(raw)

    node = FakeNode(slow)
    async with listening() as (port, accept):
        transport = VTPSubscribe(remote=(f"127.0.0.1:{port}",), max_in_hand=1)
        async with running(transport, node):
            broker = await accept()
            await broker.send(
                write_iamalive("ivo://the/broker", clock, params={STAGE: "event"}), ONE, TWO, THREE
            )
            await submitted.wait()
            # The connection breaks, which the subscriber learns when it acknowledges the first; until then
            # the second waits.
            broker.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await trio.aclose_forcefully(broker.stream)
            go.set()
            await accept()  # it comes again
    assert [raw for raw, _, _ in node.submitted] == [ONE]
    assert voeflow.Event.parse(ONE).digest.hex() in node.noted[f"127.0.0.1:{port}"]
