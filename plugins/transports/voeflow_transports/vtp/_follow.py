"""A subscription that is kept: the brokers tried in turn, and tried again."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle

import attrs
import structlog
import trio

import voeflow

from ._addresses import Address
from ._backoff import BackOff
from ._connection import connect, reason_of
from ._place import Place
from ._session import Ending, Manner, Session, Submit
from ._tls import ClientTLS

log = structlog.get_logger()

#: What gives the place from which to go on with a remote.
Recall = Callable[[str], Awaitable[Place]]


@attrs.frozen(kw_only=True)
class Persistence:
    """How a subscription is kept.

    Attributes:
        connect_timeout: how long a connection may take to be made, in seconds.
        proven_after: how long a connection has to last, in seconds, and have brought a message, before the
            next failure counts as the first. A broker that refuses an address takes the connection and closes
            it.
    """

    connect_timeout: float
    proven_after: float


async def follow(
    name: str,
    remotes: Sequence[Address],
    manner: Manner,
    persistence: Persistence,
    backoff: BackOff,
    submit: Submit,
    recall: Recall | None = None,
    failed: Callable[[Address, Ending], None] = lambda _, __: None,
    heard: Callable[[str], None] = lambda _: None,
    tls: ClientTLS | None = None,
) -> None:
    """Subscribe, and subscribe again whenever the connection ends, until cancelled.

    Args:
        name: the transport's table, for the log.
        remotes: the brokers; when one fails the next is tried at once, and after the last there is a wait.
        manner: how to behave on a connection.
        persistence: when to try again.
        backoff: gives the waits.
        submit: what takes the packets.
        recall: gives the place from which to go on with a broker, or None to ask none for what we missed.
        failed: is told every failure, and may raise or cancel; then nothing is told of trying again.
        heard: is told each sign of life of a broker, with its address.
        tls: how TLS is spoken, its files read anew for each connection; None to speak without.
    """
    failures = 0
    for remote in cycle(remotes):
        ending = await _attempt(name, remote, manner, persistence, submit, recall, heard, tls)
        proven = ending.heard and ending.lasted >= persistence.proven_after
        if proven:
            backoff.reset()
            failures = 0
        failures += 1
        failed(remote, ending)
        await trio.lowlevel.checkpoint_if_cancelled()
        wait = backoff.wait() if failures % len(remotes) == 0 else 0.0
        if failures <= len(remotes) or _is_power_of_two(failures):  # ever more seldom, as long as it lasts
            log.warning(
                "not subscribed",
                transport=name,
                remote=str(remote),
                reason=voeflow.printable(ending.reason),
                failures=failures,
                again_in=voeflow.show_seconds(math.ceil(wait)),
            )
        await trio.sleep(wait)


async def _attempt(
    name: str,
    remote: Address,
    manner: Manner,
    persistence: Persistence,
    submit: Submit,
    recall: Recall | None,
    heard: Callable[[str], None],
    tls: ClientTLS | None,
) -> Ending:
    try:
        place = await recall(str(remote)) if recall is not None else None
    except voeflow.StoreError as error:
        return Ending(f"is not asked: where to go on cannot be read: {error}", False, 0.0)
    try:
        with trio.fail_after(persistence.connect_timeout):
            secured = await trio.to_thread.run_sync(tls.towards, remote.name) if tls is not None else None
            connection = await connect(remote.host, remote.port, remote.path, secured)
    except trio.TooSlowError:
        return Ending(f"did not answer in {voeflow.show_seconds(persistence.connect_timeout)}", False, 0.0)
    except OSError as error:
        return Ending(f"cannot be reached: {reason_of(error)}", False, 0.0)
    log.info("connected", transport=name, remote=str(remote), peer=connection.peer)
    return await Session(connection, manner, submit, name, place, str(remote), heard).run()


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
