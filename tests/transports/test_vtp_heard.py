"""What counts as a sign of life of whom a VTP source listens to."""

from __future__ import annotations

import voeflow
from transports.vtp_node import FakeNode, connected, listening, running
from transports.vtp_support import IVOID, clock
from voeflow_transports.vtp._messages import Message, write_iamalive
from voeflow_transports.vtp.receive import VTPReceive
from voeflow_transports.vtp.subscribe import VTPSubscribe

BROKER = "ivo://the/broker"


async def test_a_brokers_iamalive_is_a_sign_of_life_and_neither_its_open_port_nor_its_close_is() -> None:
    node = FakeNode()
    async with listening() as (port, accept):
        subscribe = VTPSubscribe(remote=(f"127.0.0.1:{port}",), reconnect_min=voeflow.Seconds(0.01))
        async with running(subscribe, node):
            broker = await accept()
            assert not node.signs
            await broker.send(write_iamalive(BROKER, clock))
            assert await broker.message() == Message("iamalive", BROKER, IVOID)
            assert node.signs == [f"127.0.0.1:{port}"]
            await broker.stream.aclose()
            await accept()  # it has noticed, and tries again
            assert len(node.signs) == 1


async def test_every_author_that_connects_is_a_sign_of_life() -> None:
    node = FakeNode()
    async with (
        running(VTPReceive(listen=("127.0.0.1:0",)), node) as (listener,),
        connected(listener.port) as peer,
    ):
        await peer.send(b"no packet")
        await peer.message()
    (sign,) = node.signs
    assert sign.startswith("127.0.0.1:")
