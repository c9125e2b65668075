"""`replay`: packets from files, one after another, as a source to try a pipeline with."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import attrs
import structlog
import trio

import voeflow

log = structlog.get_logger()

_IVORN = re.compile(rb"""(\bivorn\s*=\s*)("[^"]*"|'[^']*')""")


@attrs.frozen
class Replay:
    """Submit the packets in a directory, one after another, as if an author had sent them.

    To try a pipeline, to show one, or to take in an archive. The files are read in the order of their names.

        [transports.samples]
        plugin = "replay"
        directory = "packets"
        interval = "2 s"
        fresh = true
    """

    source: ClassVar[bool] = True

    directory: Path = attrs.field(metadata={"help": "where the packets are: every file in it named *.xml"})
    interval: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(1.0), metadata={"help": "the time between two packets"}
    )
    repeat: bool = attrs.field(default=False, metadata={"help": "begin again after the last one, for ever"})
    fresh: bool = attrs.field(
        default=False,
        metadata={"help": "add the time to each IVORN, so that every replay makes new events, not repeats"},
    )
    validate: voeflow.Validation = attrs.field(
        default="schema", metadata={"help": "schema refuses what breaks the grammar, wellformed marks it"}
    )

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        """Submit one packet after another, then return."""
        paths = await trio.to_thread.run_sync(self._paths)
        task_status.started()
        while True:
            for path in paths:
                raw = await trio.Path(path).read_bytes()
                submission = await node.submit(
                    _freshened(raw) if self.fresh else raw, validate=self.validate, peer=path.name
                )
                log.debug("replayed", file=path.name, outcome=submission.outcome)
                await trio.sleep(self.interval)
            if not self.repeat:
                return

    def _paths(self) -> list[Path]:
        paths = sorted(self.directory.glob("*.xml"))
        if not paths:
            raise ValueError(f"directory: there is no *.xml file in {self.directory}")
        return paths


def _freshened(raw: bytes) -> bytes:
    """Make a packet another event, by the time at the end of its IVORN."""
    now = datetime.now(UTC).strftime("-%Y%m%dT%H%M%S.%fZ").encode()
    return _IVORN.sub(lambda found: found[1] + found[2][:-1] + now + found[2][-1:], raw, count=1)
