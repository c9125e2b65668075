"""The transports that come with voeflow: VTP, Kafka, and the replay of files; and VTP's two commands."""

from __future__ import annotations

import click

import voeflow
from voeflow_transports.kafka.consume import KafkaConsume
from voeflow_transports.kafka.gcn import Gcn
from voeflow_transports.kafka.hopskotch import Hopskotch
from voeflow_transports.kafka.hopskotch_publish import HopskotchPublish
from voeflow_transports.kafka.produce import KafkaProduce
from voeflow_transports.replay import Replay
from voeflow_transports.vtp.broadcast import VTPBroadcast
from voeflow_transports.vtp.forward import Forward
from voeflow_transports.vtp.listen_command import listen
from voeflow_transports.vtp.receive import VTPReceive
from voeflow_transports.vtp.send_command import send
from voeflow_transports.vtp.subscribe import VTPSubscribe


@voeflow.hookimpl
def register_transports() -> dict[str, type]:
    """Offer the transports of this package."""
    return {
        "forward": Forward,
        "gcn": Gcn,
        "hopskotch": Hopskotch,
        "hopskotch-publish": HopskotchPublish,
        "kafka-consume": KafkaConsume,
        "kafka-produce": KafkaProduce,
        "replay": Replay,
        "vtp-broadcast": VTPBroadcast,
        "vtp-receive": VTPReceive,
        "vtp-subscribe": VTPSubscribe,
    }


@voeflow.hookimpl
def register_commands() -> list[click.Command]:
    """Offer `voeflow send` and `voeflow listen`."""
    return [send, listen]
