"""The consumer group of a table that names none, on a broker that many share."""

from __future__ import annotations

import uuid

import voeflow

#: Under what name the group is noted in the store.
_NOTE = "group"


async def own_group(node: voeflow.Node, prefix: str) -> str:
    """Give the group that is this table's alone, on this node, at every start.

    Members of one group share what comes, and on a public broker everybody's groups have one space of names:
    whoever copied an IVOID from an example would get only some of the events. So it is made up at the first
    start, and kept in the store.

    Args:
        node: the node.
        prefix: what it has to begin with, for the broker or for whoever reads a list of groups.

    Raises:
        StoreError: the store cannot be read.
    """
    notes = await node.bookmarks()
    if notes.get(_NOTE, "").startswith(prefix):
        return notes[_NOTE]
    made = f"{prefix}{uuid.uuid4().hex}"
    node.bookmark(_NOTE, made)
    return made
