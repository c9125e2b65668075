"""What a case of faults came to: who was to have what was acknowledged, and who had it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import attrs

from faults.ground import Ground

#: So many of what is missing are named.
_NAMED = 5


@attrs.frozen(kw_only=True)
class Row:
    """A line of the table: what one sink was owed in one case, and what it had.

    Attributes:
        case: which case.
        sink: what was to have every acknowledged event.
        tries: how often the fault was made.
        acknowledged: how many events were.
        delivered: how many of these the sink had.
        repeated: how many deliveries were made again; None where that leaves no trace.
        note: what was measured, or how the fault was made.
        broken: each promise that was not kept, in words; empty if all is well.
    """

    case: str
    sink: str
    tries: int
    acknowledged: int
    delivered: int
    repeated: int | None = 0
    note: str = ""
    broken: tuple[str, ...] = ()

    @property
    def lost(self) -> int:
        """How many acknowledged events the sink never had."""
        return self.acknowledged - self.delivered


@attrs.frozen(kw_only=True)
class Effort:
    """How much is tried; each number is of the case that it is named after.

    Attributes:
        seed: of all that is random.
        kills: how often the node is killed.
        link_kills: how often the nodes of a link are killed.
        cut: for how long a link is cut, in seconds.
        outages: how often the disk refuses to be written, for each way in which it does.
        outage_tries: how many connections of authors find the store unable to write, each time.
        mails: how many events are mailed.
        mail_down: how long the mail server is down, in seconds.
        broadcast: how many events good subscribers are sent without bad ones, and with them.
        stored: how many events are in the large store.
        measurements: how often a start and an intake rate are measured.
        reloads: how often the pipeline is read again.
        shared: how many events go through a cluster.
        kafka_down: how long Kafka is away, in seconds.
        produce_errors: how many times Kafka answers to what is written with an error, or not.
        renewals: how many tokens are renewed before they cannot be.
    """

    seed: int
    kills: int
    link_kills: int
    cut: float
    outages: int
    outage_tries: int
    mails: int
    mail_down: float
    broadcast: int
    stored: int
    measurements: int
    reloads: int
    flood: tuple[int, int, int]
    flood_seconds: float
    shared: int
    kafka_down: float
    produce_errors: int
    renewals: int


Case = Callable[[Ground, Effort], Sequence[Row]]


def account(
    case: str,
    sink: str,
    tries: int,
    acknowledged: Collection[str],
    deliveries: Sequence[str],
    *,
    sent: Collection[str],
    note: str = "",
    may_lose: bool = False,
    repeats_show: bool = True,
    ids: Collection[tuple[str, str]] = (),
) -> Row:
    """Hold what a sink had against what was acknowledged and what was sent.

    Args:
        case: which case.
        sink: the sink.
        tries: how often the fault was made.
        acknowledged: the IVORNs of the events that were.
        deliveries: the IVORN of each delivery, in any order.
        sent: the IVORNs of all events.
        note: what else there is to say.
        may_lose: whether the sink was promised nothing.
        repeats_show: whether a delivery that is made again leaves a trace.
        ids: each delivery's id and IVORN, where the sink is given one: it is the same at every repeat.
    """
    had = set(deliveries)
    lost = sorted(set(acknowledged) - had)
    never_sent = sorted(had - set(sent))
    broken = []
    if lost and not may_lose:
        broken.append(f"{sink} never had {len(lost)} acknowledged events, such as {_some(lost)}")
    if never_sent:
        broken.append(f"{sink} had {len(never_sent)} events that nobody sent, such as {_some(never_sent)}")
    if len({ivorn for _, ivorn in ids}) != len(set(ids)):
        broken.append(f"{sink} was given one event under several ids")
    return Row(
        case=case,
        sink=sink,
        tries=tries,
        acknowledged=len(set(acknowledged)),
        delivered=len(set(acknowledged) & had),
        repeated=len(deliveries) - len(had) if repeats_show else None,
        note=note,
        broken=tuple(broken),
    )


def _some(ivorns: Sequence[str]) -> str:
    return ", ".join(ivorns[:_NAMED])
