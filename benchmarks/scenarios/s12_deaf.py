"""5 of 25 subscribers never read: what the broker keeps for them, and what the others notice."""

from __future__ import annotations

from benchmarks.load import deaf
from benchmarks.running import Broker
from benchmarks.scenario import (
    GENERATOR,
    LOST,
    MISSING,
    PACED_NOISE,
    REFUSED,
    Measure,
    Plan,
    Sample,
    Scenario,
    at,
)

_READING, _DEAF = 20, 5
_RATE = 200.0
_QUICK_SECONDS, _SECONDS = 1.5, 10.0

#: What `vtp-broadcast` lets wait for one subscriber unless told otherwise (`max_unsent`), in megabytes. The
#: bytes of an event are shared, so five that are equally far behind hold little more than one; this is what
#: holds however they are behind.
_MAX_UNSENT = 4 * 2**20 / 1e6

_MEMORY = Measure("memory grows by", "MB", "less", bound=_DEAF * _MAX_UNSENT)
_ALL_READ = Measure("to the last reader, p50, all read", "ms", "less", noise=PACED_NOISE)
_ALL_READ_99 = Measure("the same, p99", "ms", "less", noise=PACED_NOISE)
_SOME_DEAF = Measure(f"to the last reader, p50, {_DEAF} deaf", "ms", "less", noise=PACED_NOISE)
_SOME_DEAF_99 = Measure(f"the same, p99, {_DEAF} deaf", "ms", "less", noise=PACED_NOISE)


def _run(broker: Broker, plan: Plan, stem: str) -> Sample:
    seconds = _QUICK_SECONDS if plan.quick else _SECONDS
    ports = broker.author_port, broker.subscriber_port
    # The first stream also fills the caches that any events fill, so that the second shows the deaf alone.
    without = plan.call(deaf.send, *ports, broker.pid, f"{stem}-0", _READING, 0, _RATE, seconds / 2)
    with_deaf = plan.call(deaf.send, *ports, broker.pid, f"{stem}-1", _READING, _DEAF, _RATE, seconds)
    return {
        _MEMORY.name: with_deaf.memory - with_deaf.memory_before,
        _ALL_READ.name: 1000 * at(0.5, without.lasts),
        _ALL_READ_99.name: 1000 * at(0.99, without.lasts),
        _SOME_DEAF.name: 1000 * at(0.5, with_deaf.lasts),
        _SOME_DEAF_99.name: 1000 * at(0.99, with_deaf.lasts),
        LOST.name: without.unanswered + with_deaf.unanswered,
        REFUSED.name: without.refused + with_deaf.refused,
        MISSING.name: without.missing + with_deaf.missing,
        GENERATOR.name: 100 * with_deaf.generator,
    }


SCENARIO = Scenario(
    name="deaf",
    title=f"{_RATE:g} events a second to {_READING + _DEAF} subscribers, of which {_DEAF} never read",
    measures=(
        _MEMORY,
        _ALL_READ,
        _ALL_READ_99,
        _SOME_DEAF,
        _SOME_DEAF_99,
        LOST,
        REFUSED,
        MISSING,
        GENERATOR,
    ),
    brokers=("comet", "limit", "voeflow"),
    run=_run,
    fresh=True,
    quick=False,
    rounds=2,
)
