"""Reading back in the log what a sink wants of it; for transports whose peers were away."""

from __future__ import annotations

import structlog
import trio

from voeflow._answers import Envelope
from voeflow._errors import FilterError
from voeflow._feed import reread_all
from voeflow._node_api import History
from voeflow._sink import Sink
from voeflow._store import Store

log = structlog.get_logger()

#: How many events are read at once, and how many bytes of them.
READ_AT_ONCE, READ_BYTES_AT_ONCE = 64, 2**18

#: The waits before filters that gave no answer are asked again, in seconds. An event on which they give none
#: in the end is left out: it may be one that `when` is to keep from this sink's peers.
_ASK_AGAIN = (1.0, 2.0)


async def read_history(store: Store, sink: Sink, after: int, upto: int) -> History:
    """Read on in the log; see `voeflow.Node.history`.

    Raises:
        StoreError: the store cannot be read.
    """
    if after >= upto:
        await trio.lowlevel.checkpoint()
        return History((), after)

    def read() -> tuple[list[Envelope], int]:
        stored = store.read(after, READ_AT_ONCE, READ_BYTES_AT_ONCE)
        envelopes = reread_all((event for event in stored if event.seq <= upto), sink.name)
        # What is left out at the end lies beyond, or there is no more: all up to there has been read.
        whole = not stored or stored[-1].seq > upto
        return envelopes, upto if whole else stored[-1].seq

    envelopes, position = await trio.to_thread.run_sync(read)
    # One by one, so that what is new has the filters nearly to itself.
    deliveries = [sink.delivery_of(envelope) for envelope in envelopes if await _wants(sink, envelope)]
    return History(tuple(deliveries), position)


async def _wants(sink: Sink, envelope: Envelope) -> bool:
    for wait in (*_ASK_AGAIN, None):
        try:
            return await sink.wants(envelope)
        except FilterError as error:
            if wait is None:
                log.error(
                    "an event of the past is left out",
                    sink=sink.name,
                    ivorn=envelope.event.ivorn,
                    reason=str(error),
                )
                return False
            envelope = Envelope(envelope.seq, envelope.event)  # the old one keeps the error as the answer
        await trio.sleep(wait)
    raise AssertionError("the last try returns")
