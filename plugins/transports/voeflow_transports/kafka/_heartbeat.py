"""Hearing a heartbeat at every node, also where nodes share a group."""

from __future__ import annotations

from functools import partial

import attrs
import trio

import voeflow

from ._engine import Terms, consume


async def consume_with_heartbeat(node: voeflow.Node, terms: Terms, own_group: str) -> None:
    """Consume until cancelled, and the heartbeat too.

    Nodes that share a group share its topics: one of them would hear the heartbeat, and the others would
    pass for deaf. So where the group is not this table's own, the heartbeat is read by a second consumer.

    Args:
        node: the node.
        terms: what is consumed, beside the topic `terms.heartbeat`.
        own_group: the group that is this table's alone.

    Raises:
        RuntimeError: as `consume`.
    """
    topics = tuple(dict.fromkeys([*terms.topics, terms.heartbeat]))
    if terms.config["group.id"] == own_group:
        await consume(node, attrs.evolve(terms, topics=topics), task_status=trio.TASK_STATUS_IGNORED)
        return
    config = {**terms.config, "group.id": own_group}
    beats = attrs.evolve(terms, topics=(terms.heartbeat,), config=config)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(consume, node, beats, task_status=trio.TASK_STATUS_IGNORED))
        await consume(node, terms, task_status=trio.TASK_STATUS_IGNORED)
