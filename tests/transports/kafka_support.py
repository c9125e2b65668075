"""A node for the tests of Kafka transports, and a transport that runs on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import structlog
import trio
from structlog.testing import capture_logs

import voeflow
from support.kafka_broker import QUICK
from support.samples import voevent
from voeflow_transports.kafka import _engine
from voeflow_transports.kafka.consume import KafkaConsume

IVOID = "ivo://org.example/voeflow"

Answer = Callable[[bytes], Awaitable[None]]

#: How long a test waits for what is to come, in seconds: rebalances take some, on a busy machine more.
PATIENCE = 60.0


async def at_once(_: bytes) -> None:
    await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class KafkaNode:
    """Keeps what a transport submits, and says how far it is delivered; gives a sink what a test says.

    Attributes:
        before: what happens before a packet or notice is taken; it may wait, or raise.
        kept: the contents of what was taken, in order.
        wheres: where each was found.
        notices: the notices among it.
        refused: what was refused: its bytes, the reason and where it was found.
    """

    before: Answer = at_once
    name: str = "table"
    ivoid: str = IVOID
    max_event: int = 2**20
    delivered_up_to: int = 0
    position: int = 0
    kept: list[bytes] = attrs.field(factory=list)
    wheres: list[str] = attrs.field(factory=list)
    notices: list[voeflow.Notice] = attrs.field(factory=list)
    refused: list[tuple[bytes, str, str]] = attrs.field(factory=list)
    signs: list[str] = attrs.field(factory=list)
    settled: list[tuple[str, str]] = attrs.field(factory=list)
    notes: dict[str, str] = attrs.field(factory=dict)
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _out: Any = attrs.field(factory=lambda: trio.open_memory_channel[Sequence[voeflow.Delivery]](1000))

    async def submit(
        self, raw: bytes, *, validate: voeflow.Validation = "schema", peer: str = "", where: str = ""
    ) -> voeflow.Submission:
        await self.before(raw)
        self.wheres.append(where)
        return self._keep(raw)

    async def submit_notice(
        self,
        notice: voeflow.Notice,
        *,
        mapping: str = "",
        peer: str = "",
        where: str = "",
        check: Callable[[voeflow.Event], str] | None = None,
    ) -> voeflow.Submission:
        await self.before(notice.content)
        self.notices.append(notice)
        return self._keep(notice.content)

    async def refuse(self, raw: bytes, reason: str, *, peer: str = "", where: str = "") -> voeflow.Submission:
        await trio.lowlevel.checkpoint()
        self.refused.append((raw, reason, where))
        self._changed.unpark_all()
        return voeflow.Submission("refused", None, reason)

    def heard(self, peer: str = "") -> None:
        self.signs.append(peer)

    async def bookmarks(self) -> dict[str, str]:
        await trio.lowlevel.checkpoint()
        return dict(self.notes)

    def bookmark(self, key: str, value: str) -> None:
        self.notes[key] = value

    async def take(self) -> Sequence[voeflow.Delivery]:
        taken: Sequence[voeflow.Delivery] = await self._out[1].receive()
        return taken

    def carry(self, *ivorns: str, raw: bytes | None = None) -> None:
        """Let the transport take events, as one batch."""

        def settle(delivery: voeflow.Delivery, ending: object) -> None:
            self.settled.append((delivery.event.ivorn, "done" if ending is None else str(ending)))
            self._changed.unpark_all()

        events = [voeflow.Event.parse(raw or voevent(ivorn), source="hand") for ivorn in ivorns]
        self._out[0].send_nowait([voeflow.Delivery(event, event.ivorn, 1, settle) for event in events])

    async def until(self, holds: Callable[[], object], patience: float = PATIENCE) -> None:
        """Wait until something holds that what is submitted or settled makes true."""
        with trio.fail_after(patience):
            while not holds():
                await self._changed.park()

    def _keep(self, raw: bytes) -> voeflow.Submission:
        known = raw in self.kept
        if not known:
            self.kept.append(raw)
        self._changed.unpark_all()
        return voeflow.Submission(
            "duplicate" if known else "accepted", "ivo://x/y#1", position=self.kept.index(raw) + 1
        )


def consumer(address: str, *topics: str, **options: Any) -> KafkaConsume:
    """Make a `kafka-consume` that joins its group within moments."""
    settings = {**QUICK, **options.pop("settings", {})}
    given: dict[str, Any] = {"group": "g", "start": "earliest", **options}
    return KafkaConsume(servers=(address,), topics=topics, settings=settings, **given)


@pytest.fixture(autouse=True)
def quick_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for the next commit; a module of tests takes this in."""
    monkeypatch.setattr(_engine, "_COMMIT_EVERY", 0.1)


@asynccontextmanager
async def running(transport: Any, node: KafkaNode) -> AsyncIterator[trio.CancelScope]:
    """Run a transport until the end of the block; its scope ends it before."""
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: transport.run(node, task_status=task_status))
        yield nursery.cancel_scope
        nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class Told:
    """What was told in the log, and a wait for what will be."""

    entries: list[MutableMapping[str, Any]]

    def all(self, event: str) -> list[MutableMapping[str, Any]]:
        return [entry for entry in self.entries if entry["event"] == event]

    async def until(
        self, event: str, number: int = 1, patience: float = PATIENCE
    ) -> MutableMapping[str, Any]:
        """Wait until something was told so many times; give the last."""
        with trio.fail_after(patience):
            while len(self.all(event)) < number:  # noqa: ASYNC110 - written to from threads, and tells nobody
                await trio.sleep(0.02)
        return self.all(event)[number - 1]


@contextmanager
def told() -> Iterator[Told]:
    """Collect what is told."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries:
        yield Told(entries)


def client_threads() -> int:
    """Count the threads that librdkafka runs in this process."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it may end meanwhile
            names.append((task / "comm").read_text())
    return sum(name.startswith("rdk:") for name in names)


async def eventually(holds: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until something holds that has to be asked for again and again; it is asked in a thread."""
    with trio.fail_after(patience):
        while not await trio.to_thread.run_sync(holds):  # noqa: ASYNC110 - a broker tells nobody
            await trio.sleep(0.05)
