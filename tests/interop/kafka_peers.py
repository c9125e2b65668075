"""What gcn-kafka and hop-client do in the tests: a program for the peers' environment, not a module of ours.

    python kafka_peers.py DOES '{"server": "127.0.0.1:9092", "topic": "t", ...}'

It writes a line of JSON for each message that it reads. Credentials are where each of the two looks for them:
in the environment, and in the file of `hop auth`.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def encoded(content: bytes | None) -> str:
    return base64.b64encode(content or b"").decode()


def gcn_config(given: dict[str, Any]) -> dict[str, Any]:
    from gcn_kafka import config_from_env

    return {
        **config_from_env(),
        "bootstrap.servers": given["server"],
        "ssl.ca.location": given["ca"],
        "https.ca.location": given["ca"],
        "sasl.oauthbearer.token.endpoint.url": given["tokens"],
    }


def gcn_read(given: dict[str, Any]) -> None:
    from gcn_kafka import Consumer

    consumer = Consumer(config={**gcn_config(given), "auto.offset.reset": "earliest"})
    from confluent_kafka import TopicPartition

    consumer.assign([TopicPartition(given["topic"], 0, 0)])
    left = given["number"]
    while left:
        for message in consumer.consume(timeout=1):
            if message.error():
                say(error=str(message.error()))
                continue
            headers = {name: value.decode() for name, value in message.headers() or []}
            say(value=encoded(message.value()), key=message.key().decode(), headers=headers)
            left -= 1
    consumer.close()


def gcn_write(given: dict[str, Any]) -> None:
    from gcn_kafka import Producer

    producer = Producer(config=gcn_config(given))
    for topic, value in given["messages"]:
        producer.produce(topic, base64.b64decode(value))
    say(left=producer.flush(20))


def hop_auth(given: dict[str, Any]) -> None:
    from hop.auth import Auth, write_auth_data
    from hop.configure import get_config_path

    credential = Auth(given["user"], given["password"], host=given["server"], ssl_ca_location=given["ca"])
    write_auth_data(get_config_path("auth"), [credential])
    say(path=get_config_path("auth"))


def hop_read(given: dict[str, Any]) -> None:
    from hop.io import StartPosition, Stream

    stream = Stream(start_at=StartPosition.EARLIEST)
    left = given["number"]
    with stream.open(f"kafka://{given['server']}/{given['topic']}", "r", ignoretest=False) as source:
        for message, metadata in source.read(metadata=True):
            headers = dict(metadata.headers)
            say(
                model=type(message).__name__,
                ivorn=getattr(message, "ivorn", ""),
                role=getattr(message, "role", ""),
                author=getattr(message, "Who", {}).get("AuthorIVORN", ""),
                value=encoded(metadata._raw.value()),
                test="_test" in headers,
                sender=headers.get("_sender", b"").decode(),
            )
            left -= 1
            if not left:
                break


def hop_write(given: dict[str, Any]) -> None:
    from hop.io import Stream
    from hop.models import JSONBlob, VOEvent

    with Stream().open(f"kafka://{given['server']}/{given['topic']}", "w", **given["options"]) as sink:
        for kind, value, test in given["messages"]:
            content = base64.b64decode(value)
            made = VOEvent.load(content) if kind == "voevent" else JSONBlob(json.loads(content))
            sink.write(made, test=test)
    say(done=True)


if __name__ == "__main__":
    os.environ.setdefault("XDG_CONFIG_HOME", str(Path.cwd()))
    {"gcn-read": gcn_read, "gcn-write": gcn_write, "hop-auth": hop_auth, "hop-read": hop_read,
     "hop-write": hop_write}[sys.argv[1]](json.loads(sys.argv[2]))  # fmt: skip
