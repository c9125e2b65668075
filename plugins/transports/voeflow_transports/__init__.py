"""The transports that come with voeflow: VTP, Kafka, and the replay of files; and VTP's two commands."""

from __future__ import annotations

import click

import voeflow


@voeflow.hookimpl
def register_transports() -> dict[str, str]:
    """Offer the transports of this package."""
    return {
        "forward": "voeflow_transports.vtp.forward:Forward",
        "gcn": "voeflow_transports.kafka.gcn:Gcn",
        "hopskotch": "voeflow_transports.kafka.hopskotch:Hopskotch",
        "hopskotch-publish": "voeflow_transports.kafka.hopskotch_publish:HopskotchPublish",
        "kafka-consume": "voeflow_transports.kafka.consume:KafkaConsume",
        "kafka-produce": "voeflow_transports.kafka.produce:KafkaProduce",
        "replay": "voeflow_transports.replay:Replay",
        "vtp-broadcast": "voeflow_transports.vtp.broadcast:VTPBroadcast",
        "vtp-receive": "voeflow_transports.vtp.receive:VTPReceive",
        "vtp-subscribe": "voeflow_transports.vtp.subscribe:VTPSubscribe",
    }


@voeflow.hookimpl
def register_commands() -> list[click.Command]:
    """Offer `voeflow send` and `voeflow listen`."""
    from voeflow_transports.vtp.listen_command import listen
    from voeflow_transports.vtp.send_command import send

    return [send, listen]
