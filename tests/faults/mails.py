"""Case 4: a mail server that is down for a while, slow, and refuses some."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence

import attrs

from faults.authors import Book, Load
from faults.ground import Ground, settle
from faults.mail_server import Behaviour, MailServer
from faults.outcome import Effort, Row, account

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
linger = "10 s"
[handlers.duty]
plugin = "email"
to = ["duty@example.org"]
sender = "voeflow@example.org"
server = "smtp://127.0.0.1:@MAIL@"
subject = "{ivorn}"
ceiling = 0
timeout = "1 s"
retries = 20
retry_wait = "0.2 s"
concurrency = 8
"""

#: How many events a second the authors send, all together.
_RATE = 200.0

#: How long a slow server takes, in seconds; and one whose answer the node does not wait for.
_SLOW, _TOO_SLOW = 0.3, 1.5


def mistreat_mail(ground: Ground, effort: Effort) -> Sequence[Row]:
    """Mail a number of events through each kind of bad server, one after another."""
    rows = []
    for case, note, behave in (
        ("4 mail refused", "a third 450, a third 550, then taken", _refuse_some),
        ("4 mail slow", f"{_SLOW} s a mail; a tenth answered after the node's timeout", _be_slow),
    ):
        rows.append(_mail(ground, effort, case, note, MailServer(behave)))
    note = f"down {effort.mail_down:g} s from the start, and again while mails go out"
    rows.append(_mail(ground, effort, "4 mail server down", note, MailServer(), down=True))
    return rows


def _mail(
    ground: Ground, effort: Effort, case: str, note: str, server: MailServer, *, down: bool = False
) -> Row:
    name = case.replace(" ", "-")
    book = Book(f"ivo://org.example/{name}#")
    with server:
        if down:
            server.down()
        node = ground.node(PIPELINE.replace("@MAIL@", str(server.port)), name=name)
        with Load(book, node.port("authors"), rate=_RATE, seed=effort.seed):
            book.wait(acknowledged=effort.mails)
        if down:
            time.sleep(effort.mail_down)  # the length of the fault itself
            server.up()
            settle("the first mails", lambda: len(server.taken()), len(book.acknowledged) // 2, node)
            server.down()
            time.sleep(effort.mail_down)
            server.up()
        owed = set(book.acknowledged)
        settle(case, lambda: len(owed.intersection(server.ivorns())), len(owed), node)
        node.stop()
    taken = server.taken()
    told = [mail.message_id for mail in taken if mail.told]
    untold = len(taken) - len(told)
    row = account(
        case,
        "email",
        2 if down else 1,
        owed,
        server.ivorns(),
        sent=book.sent,
        ids=[(mail.message_id, mail.subject) for mail in taken],
        note=f"{note}; {untold} answers came too late" if untold else note,
    )
    twice = len(told) - len(set(told))
    broken = (f"{twice} mails came again after the server had told that it took them",) if twice else ()
    return attrs.evolve(row, broken=row.broken + broken)


def _refuse_some(message_id: str, attempt: int) -> Behaviour:
    kind = _die(message_id, 3)
    if kind == 0 and attempt <= 2:
        return Behaviour("450 come back later")
    if kind == 1 and attempt == 1:
        return Behaviour("550 no")
    return Behaviour()


def _be_slow(message_id: str, attempt: int) -> Behaviour:
    return Behaviour(delay=_TOO_SLOW if attempt == 1 and _die(message_id, 10) == 0 else _SLOW)


def _die(message_id: str, sides: int) -> int:
    """Give a number below `sides` that is always the same for a mail."""
    return zlib.crc32(message_id.encode()) % sides
