"""The handler `point-once`."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import attrs
import structlog
import trio

import voeflow

from ._state import Burst, Position, State

log = structlog.get_logger()


class CommandFailed(Exception):  # noqa: N818 - reads as what happened
    """A command that did not end well, or not in time."""


def _command(instance: object, attribute: attrs.Attribute[tuple[str, ...]], command: tuple[str, ...]) -> None:
    if not command or not command[0]:
        raise ValueError('expected a program and its arguments, as in ["./point.sh"], got none')


@attrs.frozen
class PointOnce:
    """Point once at each burst, to the best position that is known in time.

    A burst comes as a sequence of alerts: a first position, better ones, perhaps a retraction. This waits
    until a position is `good_enough`, or `patience` has passed since the first was received, and then runs
    `command` with the best one. What comes later moves nothing any more, but a retraction runs `cancel`. A
    burst that was retracted before is never pointed to.

    What is known of bursts is in the file `state`: after a restart, or when an event is handed over again, it
    goes on where it was. The command is run again only if it failed, or the node died while it ran:
    `BURST_TRY` is then above 1. Both commands get:

        BURST_NAME, BURST_RA, BURST_DEC, BURST_ERROR    degrees
        BURST_IVORN    of the packet with that position
        BURST_TRY      1, 2, ...

        [handlers.telescope]
        plugin      = "point-once"
        state       = "bursts.db"
        command     = ["./point.sh"]
        cancel      = ["./cancel.sh"]
        patience    = "2 min"
        good_enough = 0.05
        when        = "svom and for_real"
    """

    command: tuple[str, ...] = attrs.field(
        validator=_command, metadata={"help": "what points the telescope: a program and its arguments"}
    )
    cancel: tuple[str, ...] = attrs.field(
        default=(), metadata={"help": "what is run when a burst is retracted that was pointed to"}
    )
    state: Path = attrs.field(
        default=Path("bursts.db"), metadata={"help": "where what is known of bursts is kept"}
    )
    param: str = attrs.field(default="Burst_Id", metadata={"help": "the Param that names the burst"})
    patience: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(120.0),
        metadata={"help": "how long a better position is waited for, after the first"},
    )
    good_enough: float = attrs.field(
        default=0.05,
        validator=attrs.validators.gt(0),
        metadata={"help": "an error radius in degrees for which nothing better is waited for"},
    )
    max_error: float = attrs.field(
        default=0.5,
        validator=attrs.validators.gt(0),
        metadata={"help": "the greatest error radius in degrees that is of any use"},
    )
    directory: Path = attrs.field(
        default=Path("."), metadata={"help": "where commands run; the pipeline file's directory if left out"}
    )
    timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(60.0), metadata={"help": "how long a command may take"}
    )
    _known: State = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda self: State(self.state), takes_self=True),
    )
    _turn: trio.Lock = attrs.field(init=False, repr=False, eq=False, factory=trio.Lock)

    def start(self) -> None:
        """Make the file, where it is not there."""
        self._known.prepare()

    async def handle(self, event: voeflow.Event) -> None:
        """Note what an event says of its burst, and point if it is time.

        Raises:
            Later: a better position is waited for.
            CommandFailed: the command did not do what it should.
        """
        await self.handle_at(event, time.time())

    async def handle_at(self, event: voeflow.Event, now: float) -> None:
        """Do as `handle` does, at a time given in seconds of Unix time."""
        async with self._turn:  # one event after another, whatever `concurrency` says
            name = await trio.to_thread.run_sync(self._note, event)
            if name is None:
                log.warning("no burst is named", ivorn=event.ivorn, param=self.param)
                return
            await self._act(name, await trio.to_thread.run_sync(self._known.burst, name), now)

    def _note(self, event: voeflow.Event) -> str | None:
        """Note what an event says; give the name of its burst."""
        cited = [citation for citation in event.citations if citation.kind in ("supersedes", "retraction")]
        gone = [citation.ivorn.strip() for citation in cited]
        retracts = any(citation.kind == "retraction" for citation in cited)
        name = self._name(event) or self._known.burst_of(gone)
        written = event.date or event.received
        self._known.take_back(gone)
        if name is None:
            return None
        if retracts:
            self._known.retract(name, written)
        elif (position := self._position(event)) is not None:
            self._known.note_position(name, position, written)
        return name

    def _name(self, event: voeflow.Event) -> str | None:
        """Give the burst's name; rehearsals, and other authors' bursts of the same name, are apart."""
        everywhere = [event.params, *(group.params for group in event.groups)]
        for params in everywhere:
            param = params.get(self.param)
            if param is not None and param.value.strip():
                kind = "test" if event.role == "test" else "real"
                return f"{kind} {(event.author or '').lower()} {param.value.strip()}"[:500]
        return None

    def _position(self, event: voeflow.Event) -> Position | None:
        """Give an event's position if its error is known and small enough to be of use."""
        where = event.position
        if where is None or where.error is None or where.error > self.max_error:
            return None
        return Position(event.ivorn, where.ra, where.dec, where.error, event.received.timestamp())

    async def _act(self, name: str, burst: Burst, now: float) -> None:
        shown = voeflow.printable(name, 100)
        if burst.pointed is not None:
            if burst.best is None and not burst.cancelled and self.cancel:
                await self._run(self.cancel, name, None, burst.tries)
                await trio.to_thread.run_sync(self._known.cancelled, name)
                log.info("called off", burst=shown)
            return
        if burst.best is None or burst.first is None:
            log.info("nothing to point to", burst=shown)
            return
        remains = burst.first + self.patience - now
        if burst.best.error > self.good_enough and remains > 0:
            raise voeflow.Later(remains, "a better position is waited for")
        number = await trio.to_thread.run_sync(self._known.begin, name)
        await self._run(self.command, name, burst.best, number)
        await trio.to_thread.run_sync(self._known.pointed, name, burst.best.ivorn)
        log.info("pointed", burst=shown, ivorn=burst.best.ivorn, error=burst.best.error)

    async def _run(self, command: tuple[str, ...], name: str, position: Position | None, number: int) -> None:
        told = {"BURST_NAME": voeflow.printable(name.rpartition(" ")[2], 100), "BURST_TRY": str(number)}
        if position is not None:
            told |= {
                "BURST_RA": repr(position.ra),
                "BURST_DEC": repr(position.dec),
                "BURST_ERROR": repr(position.error),
                "BURST_IVORN": voeflow.printable(position.ivorn, 500),
            }
        try:
            with trio.fail_after(self.timeout):
                done = await trio.run_process(
                    command, cwd=self.directory, env=dict(os.environ) | told, capture_stdout=True,
                    stderr=subprocess.STDOUT, check=False,
                )  # fmt: skip
        except trio.TooSlowError:
            raise CommandFailed(f"{command[0]} did not end within {self.timeout:g} s") from None
        except OSError as error:
            raise CommandFailed(f"{command[0]} cannot be run: {error.strerror}") from error
        words = voeflow.printable(done.stdout.decode(errors="replace").strip()[-500:])
        if done.returncode:
            raise CommandFailed(f"{command[0]} ended with {done.returncode}: {words}")
        log.info("the command wrote", command=command[0], line=words)
