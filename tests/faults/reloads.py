"""Case 7: the pipeline is changed and read again, many times, under load."""

from __future__ import annotations

import functools
import random
import signal
from collections.abc import Sequence

import attrs

from faults.archive import Archive
from faults.authors import Book, Load
from faults.ground import Ground, settle
from faults.outcome import Effort, Row, account
from faults.peers import Subscriber
from interop.stage import Node

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
[handlers.same]
plugin = "save"
directory = "same"
"""

#: A handler that is never twice the same, with a filter that is changed as well and always holds.
CHANGED = """\
[filters.all]
plugin = "xpath"
expression = "@CHANGE@ < 1000000"
[handlers.changed]
plugin = "save"
directory = "changed"
concurrency = @CHANGE@
retry_wait = "0.2 s"
when = "all"
"""

#: A handler that comes and goes.
GUEST = """\
[handlers.guest]
plugin = "save"
directory = "guest"
"""

BAD = """\
[handlers.bad]
plugin = "svae"
"""

#: How many events a second the authors send, all together, and how many go ahead of their receipts.
_RATE, _AHEAD = 200.0, (1, 1, 4)


def reload_under_load(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Change a pipeline, or break it, and have it read again, while events come in and go out."""
    pick = random.Random(effort.seed)
    pipeline = ground.room("reloaded") / "pipeline.toml"
    node = ground.node(PIPELINE + CHANGED.replace("@CHANGE@", "1") + GUEST, name="reloaded")
    book = Book("ivo://org.example/reloaded#")
    sinks = {name: Archive(node.directory / name, book) for name in ("same", "changed", "guest")}
    subscriber = Subscriber(node.port("public"))
    subscriber.start()
    node.wait_until_told("subscriber connected")
    refused = 0
    with Load(book, node.port("authors"), rate=_RATE, seed=effort.seed, ahead=_AHEAD):
        for number in range(2, effort.reloads + 2):
            book.wait(acknowledged=len(book.acknowledged) + 1)
            bad = pick.random() < 0.2
            text = PIPELINE + CHANGED.replace("@CHANGE@", str(1 + number % 7))
            text += (GUEST if pick.random() < 0.5 else "") + (BAD if bad else "")
            pipeline.write_text(text, encoding="utf-8")
            refused += bad
            _reload(node, refused if bad else number - 1 - refused, good=not bad)
        pipeline.write_text(PIPELINE + CHANGED.replace("@CHANGE@", "1") + GUEST, encoding="utf-8")
        _reload(node, effort.reloads + 1 - refused, good=True)
    owed = set(book.acknowledged)
    for name, archive in sinks.items():
        settle(name, functools.partial(_number_had, owed, archive), len(owed), node)
    settle("the subscriber", lambda: len(owed.intersection(subscriber.ivorns())), len(owed), node)
    connections = subscriber.connections  # before a stopping node ends them
    node.stop()
    subscriber.stop()
    row = functools.partial(
        account, "7 reload", tries=effort.reloads, acknowledged=owed, sent=book.sent, repeats_show=False
    )
    failed = sum(record["event"] == "delivery failed" for record in node.records())
    notes = {
        "same": f"unchanged; {refused} of the pipelines were bad, and refused",
        "changed": f"changed each time, with its filter; {failed} deliveries failed and were made again",
        "guest": "comes and goes",
    }
    rows = [row(f"save, {name}", deliveries=sinks[name].ivorns(), note=note) for name, note in notes.items()]
    broken = []
    if book.unanswered:
        broken.append(f"{book.unanswered} connections of authors were dropped")
    if connections != 1:
        broken.append(f"the subscriber had to connect {connections} times")
    through = account(
        "7 reload",
        "plain subscriber",
        effort.reloads,
        owed,
        subscriber.ivorns(),
        sent=book.sent,
        note=f"{book.unanswered} of {len(_AHEAD)} authors and {connections - 1} of 1 dropped",
    )
    return [*rows, attrs.evolve(through, broken=(*through.broken, *broken))]


def _reload(node: Node, number: int, *, good: bool) -> None:
    """Have the pipeline read again, the `number`-th that is good, or bad; wait until that is done."""
    node.signal(signal.SIGHUP)
    told = "pipeline reloaded" if good else "pipeline not reloaded: the old one goes on"
    node.wait_until_told(told, number=number)


def _number_had(owed: set[str], archive: Archive) -> int:
    return len(owed.intersection(archive.ivorns()))
