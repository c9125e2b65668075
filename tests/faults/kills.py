"""Case 1: the node is killed at random instants, with every kind of sink at work."""

from __future__ import annotations

import functools
import random
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from faults.archive import Archive
from faults.authors import Book, Load
from faults.downstream import DOWNSTREAM
from faults.ground import Ground, killed, settle
from faults.mail_server import MailServer
from faults.outcome import Effort, Row, account
from faults.peers import Subscriber
from interop.stage import Node
from support.ports import free_port

CASE = "1 kill -9"

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:@PUBLIC@"
test_interval = "0"
[handlers.archive]
plugin = "save"
directory = "events"
[handlers.slew]
plugin = "spawn"
command = ["./slew.sh"]
retry_wait = "0.2 s"
[handlers.duty]
plugin = "email"
to = ["duty@example.org"]
sender = "voeflow@example.org"
server = "smtp://127.0.0.1:@MAIL@"
subject = "{ivorn}"
ceiling = 0
concurrency = 4
retry_wait = "0.2 s"
"""

#: One write for a line, and it is on disk before the node is told.
_SLEW = """\
#!/bin/sh
set -e
cat > /dev/null
echo "$VOEVENT_DELIVERY $VOEVENT_IVORN" >> spawned
sync spawned
"""

#: How many events a second the authors send, all together: what two cores can spawn for and mail as well.
RATE = 200.0

#: The node is killed up to so long after it is ready and has authors, in seconds.
_LOADED = 0.6

#: One life in so many is ended while the node still starts, within so many seconds.
_STARTS, _STARTING = 5, 1.0


def kill_at_random(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Kill a node again and again; let the last life finish; see what each sink has had."""
    pick = random.Random(effort.seed)
    book = Book("ivo://org.example/killed#")
    room = ground.room("node")
    slew = room / "slew.sh"
    slew.write_text(_SLEW, encoding="utf-8")
    slew.chmod(slew.stat().st_mode | stat.S_IXUSR)
    (room / "spawned").touch()
    server = ground.stack.enter_context(MailServer())
    public = free_port()
    pipeline = PIPELINE.replace("@PUBLIC@", str(public)).replace("@MAIL@", str(server.port))
    subscriber = Subscriber(public)
    subscriber.start()
    downstream = ground.node(DOWNSTREAM.replace("@PORT@", str(public)), name="downstream")
    for life in range(effort.kills):
        node = ground.node(pipeline, ready=False)
        if life and pick.randrange(_STARTS) == 0:
            _die_in(pick.uniform(0, _STARTING), node)
        else:
            with Load(book, node.port("authors"), rate=RATE, seed=effort.seed + life):
                _die_in(pick.uniform(0, _LOADED), node)
    node = ground.node(pipeline)
    with Load(book, node.port("authors"), rate=RATE, seed=effort.seed - 1):
        # What had no receipt is sent again; by the end of this every event but a last few has one.
        assert book.wait(acknowledged=len(book.sent)), node.transcript()
    owed = set(book.acknowledged)
    archive, spawned = Archive(room / "events", book), room / "spawned"
    beyond = Archive(downstream.directory / "events", book)
    sinks: dict[str, Callable[[], list[str]]] = {
        "save": archive.ivorns,
        "spawn": lambda: [ivorn for _, ivorn in _spawned(spawned)],
        "email": server.ivorns,
        "voeflow subscriber": beyond.ivorns,
    }
    for sink, had in sinks.items():
        settle(sink, functools.partial(_number_had, owed, had), len(owed), node, downstream)
    node.stop()
    downstream.stop()
    subscriber.stop()
    row = functools.partial(account, CASE, tries=effort.kills, acknowledged=owed, sent=book.sent)
    return [
        row("save", deliveries=archive.ivorns(), repeats_show=False),
        row("spawn", deliveries=sinks["spawn"](), ids=_spawned(spawned)),
        row(
            "email",
            deliveries=server.ivorns(),
            ids=[(mail.message_id, mail.subject) for mail in server.taken()],
        ),
        row("voeflow subscriber", deliveries=beyond.ivorns(), repeats_show=False),
        row(
            "plain subscriber",
            deliveries=subscriber.ivorns(),
            may_lose=True,
            note="VTP promises it nothing",
        ),
    ]


def _number_had(owed: set[str], had: Callable[[], Sequence[str]]) -> int:
    return len(owed.intersection(had()))


def _die_in(seconds: float, node: Node) -> None:
    time.sleep(seconds)  # the instant of the fault itself
    killed(node)


def _spawned(path: Path) -> list[tuple[str, str]]:
    """Give the delivery and the IVORN of each run of the command."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(delivery, ivorn) for delivery, ivorn in (line.split() for line in lines)]
