"""The hooks that voeflow calls in a plugin: the contract between the two, and no logic.

A distribution declares an entry point in the group `voeflow` that names a module (or any object); what is
marked there with `voeflow.hookimpl` and bears one of the names below is called. An implementation may leave
out parameters that it does not need. A name that is none of these is an error, not silence.

There are two sorts of hook:

* `register_...` hooks are called once, when the command starts and before any pipeline is read, in the main
  thread, with no event loop running. They return classes by name (or mappings, or commands); they start
  nothing. In the place of a class they may say where it is, as `"voeflow_cta.sky:Observable"`: it is imported
  only when a pipeline names it, so that nobody waits for what is not used.
* The others observe a running node. They are called on the event loop, in the node's thread: they must be
  quick and must not block, for everything else waits meanwhile; what takes longer than 0.2 s is named in the
  log. They return nothing (what they return is ignored), and can change nothing.

Every hook is a plain `def`: an `async def` implementation is refused when the plugin is loaded. Each
implementation is called by itself, in no order that may be relied upon, and what it raises is contained: it
is logged with the name and version of the plugin's distribution, and neither another plugin nor the node
notices.

Since version 0.1.0, unless a hook says otherwise.

The functions are specifications: pluggy reads their names and parameters, and never calls them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pluggy

if TYPE_CHECKING:
    from voeflow._event import Event
    from voeflow._notice import NoticeMapping

#: The name of the marker and of the entry-point group.
PROJECT = "voeflow"

#: Marks a function as an implementation of one of the hooks.
hookimpl = pluggy.HookimplMarker(PROJECT)

_hookspec = pluggy.HookspecMarker(PROJECT)


@_hookspec
def register_transports() -> Mapping[str, type | str]:
    """Offer transports: ways for events to come in, to go out, or both.

    Called once at start, before any pipeline is read.

    Returns:
        The classes by the names under which a pipeline's `plugin` key finds them. Each is an attrs class,
        whose fields are the keys of its table, with `async def run(self, node, *, task_status)`. Class
        variables say more: `sink = True` if it takes events from the node; `source = True` if it also
        brings events in (a transport that is no sink always may); `needs = ("ivoid",)` for the node's keys
        it cannot do without.

    Raises:
        Exception: anything; the transports of this hook are then not installed, and the reason is told where
            one is asked for.
    """
    raise NotImplementedError


@_hookspec
def register_filters() -> Mapping[str, type | str]:
    """Offer filters: yes/no questions about an event.

    Called once at start, before any pipeline is read.

    Returns:
        The classes by name. Each is an attrs class, whose fields are the keys of its table, with
        `matches(self, event)`, a `def` or `async def` that returns a bool or a `voeflow.Verdict`. A plain
        `def` is run in a worker thread, unless the class says `inline = True`, which promises that it is
        quick. One whose answer hangs on earlier events is `matches(self, event, places)`; see
        `voeflow.Places`.

    Raises:
        Exception: anything; the filters of this hook are then not installed, and the reason is told where one
            is asked for.
    """
    raise NotImplementedError


@_hookspec
def register_handlers() -> Mapping[str, type | str]:
    """Offer handlers: what is done with an event.

    Called once at start, before any pipeline is read.

    Returns:
        The classes by name. Each is an attrs class, whose fields are the keys of its table, with
        `handle(self, event)` or `handle(self, event, delivery)`; a plain `def` is run in a worker thread.
        Returning is success, raising is failure. Class variables `retries`, `retry_wait`,
        `give_up_after` and `concurrency` set the class's own defaults of these common keys.

    Raises:
        Exception: anything; the handlers of this hook are then not installed, and the reason is told where
            one is asked for.
    """
    raise NotImplementedError


@_hookspec
def register_mappings() -> Mapping[str, NoticeMapping]:
    """Offer mappings: what turns a notice, a message that is no VOEvent, into one.

    Called once at start, before any pipeline is read. A mapping has no table in a pipeline: it is asked about
    the notices of its topics that any source brings, before those that voeflow itself has.

    Returns:
        The mappings by name: objects, not classes, each with `topics` and `map(self, notice, earlier)`; see
        `voeflow.NoticeMapping`. `map` is run in a worker thread.

    Raises:
        Exception: anything; the mappings of this hook are then not there, and the reason is told.
    """
    raise NotImplementedError


@_hookspec
def register_commands() -> Sequence[click.Command]:
    """Offer commands: what `voeflow NAME` runs besides its own commands.

    Called once at start, in the main thread, by every `voeflow` command line: importing what is heavy belongs
    inside the command.

    Returns:
        The commands, each with a name of its own. A name that voeflow or another distribution has taken is
        an error that names both, and the command that was there first stays.

    Raises:
        Exception: anything; the commands of this hook are then not there, and the reason is told.
    """
    raise NotImplementedError


@_hookspec
def node_started(ivoid: str, pipeline: Path) -> None:
    """See a node that is ready: every transport has started and events are being taken.

    Called once a node, on the event loop.

    Args:
        ivoid: the node's own IVOID, or empty if its pipeline has none.
        pipeline: the pipeline file.
    """


@_hookspec
def event_accepted(event: Event) -> None:
    """See an event that is new and is now on disk, about to be handed to the sinks.

    Called on the event loop, once for each event, before any sink has it.

    Args:
        event: the event, with the name of the transport that brought it in `event.source`.
    """


@_hookspec
def event_refused(raw: bytes, reason: str, source: str, ivorn: str | None) -> None:
    """See bytes that were not taken as an event.

    Called on the event loop, once for each refusal.

    Args:
        raw: the bytes as they came in, a packet's or a notice's. Whoever sent them chose every one of them.
        reason: why they were refused, in words, as told to the author.
        source: the name of the transport's table that brought them in.
        ivorn: the IVORN, if one could be read.
    """


@_hookspec
def event_duplicate(event: Event) -> None:
    """See an event whose element, byte for byte, was seen before; it goes no further.

    Called on the event loop, once for each repetition.

    Args:
        event: the event as it came in this time.
    """


@_hookspec
def event_delivered(event: Event, sink: str) -> None:
    """See an event that a sink is done with.

    Called on the event loop; the store notes it a moment later. After a crash in between an event may be
    delivered, and seen here, again.

    Args:
        event: the event.
        sink: the name of the handler's or transport's table.
    """


@_hookspec
def delivery_failed(event: Event, sink: str, reason: str, attempt: int, dead: bool) -> None:
    """See an attempt to deliver an event that failed.

    Called on the event loop, once for each failed attempt.

    Args:
        event: the event.
        sink: the name of the handler's or transport's table.
        reason: what went wrong, in words.
        attempt: which attempt it was, counted from 1.
        dead: whether it was the last one: the event stays in the store as a dead letter.
    """


@_hookspec
def node_stopping() -> None:
    """See a node that was told to stop: it takes no more events, and what it has is still being delivered.

    Called once a node, on the event loop, before the time for draining begins.
    """
