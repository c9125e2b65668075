"""`voeflow listen`: subscribes to a broker and prints a line an event."""

from __future__ import annotations

import logging
import os
import random
import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import click
import structlog
import trio

import voeflow

from ._addresses import SUBSCRIBERS_PORT, Address, read_remote
from ._backoff import BackOff
from ._follow import Persistence, follow
from ._session import Ending, Manner
from ._tls import ClientTLS
from ._tls_options import TLSOptions, tls_options
from .subscribe import FACTOR, JITTER

#: What a file name may have; anything else in an IVORN becomes an underscore.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

#: The longest part of a file name that is made of an IVORN, in characters.
_LONGEST_NAME = 100

_MAX_EVENT = 2**20


@click.command("listen", short_help="Subscribe to a broker and print a line for each event.")
@click.argument("remote", metavar="HOST[:PORT]")
@click.option(
    "--xpath", multiple=True, help="Ask the broker for events for which this holds; may be repeated."
)
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Save each event in a file there.",
)
@click.option("--raw", is_flag=True, help="Print the packets themselves instead of a line for each.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N events.")
@click.option("--timeout", default="20 s", show_default=True, help="How long to wait for a connection.")
@tls_options
def listen(
    remote: str,
    xpath: tuple[str, ...],
    save: Path | None,
    raw: bool,
    count: int | None,
    timeout: str,
    tls: TLSOptions,
) -> None:
    """Subscribe to a broker and print a line for each event: when it came, role, IVORN, position.

    It goes on, through lost connections, until SIGINT (Ctrl-C) or SIGTERM. Exit status: 0; 1 if an event
    cannot be saved or printed; 3 if the broker cannot be reached the first time.
    """
    try:
        address = read_remote(remote, SUBSCRIBERS_PORT)
        patience = voeflow.parse_seconds(timeout)
        filters = tuple(voeflow.XPath(each).expression for each in xpath)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if save is not None:
        try:
            save.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"cannot save in {save}: {error.strerror}") from None
    structlog.configure(  # events go to standard output, so what is told of the connection does not
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    listening = _Listening(address, filters, save, raw, count, tls.options)
    try:
        trio.run(listening.run, patience)
    except* KeyboardInterrupt:  # a second Ctrl-C, or one before the first is listened for
        pass
    if listening.failure:
        click.echo(listening.failure, err=True)
    sys.exit(listening.status)


@attrs.define(eq=False)
class _Listening:
    address: Address
    filters: tuple[str, ...]
    save: Path | None
    raw: bool
    count: int | None
    tls: ClientTLS | None
    status: int = 0
    failure: str = ""
    _seen: int = 0
    _reached: bool = False
    _stop: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def run(self, patience: float) -> None:
        """Listen until there are enough events, a signal asks for the end, or the first connection fails."""
        manner = Manner(
            identity="",
            filters=self.filters,
            nak=False,
            alive_patience=150.0,
            max_event=_MAX_EVENT,
            max_in_hand=64,
        )
        persistence = Persistence(connect_timeout=patience, proven_after=10.0)
        backoff = BackOff(1.0, FACTOR, 300.0, JITTER, random.random)
        # Python leaves a SIGINT ignored that it inherits so, as from a script's `&`: it is asked for by name.
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals, self._stop:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.heed, signals)
                await follow(
                    "listen",
                    [self.address],
                    manner,
                    persistence,
                    backoff,
                    self.take,
                    failed=self.failed,
                    tls=self.tls,
                )

    async def heed(self, signals: AsyncIterator[int]) -> None:
        """Stop at a signal."""
        async for _ in signals:
            self._stop.cancel()

    async def take(self, raw: bytes, peer: str) -> voeflow.Submission:
        """Print an event, and save it; what is no VOEvent is told."""
        if self._seen == self.count:  # we stop, and these are not ours any more
            await trio.sleep_forever()
        try:
            event = voeflow.Event.parse(raw)
        except voeflow.EventError as error:
            click.echo(f"no VOEvent: {error}", err=True)
            await trio.lowlevel.checkpoint()
            return voeflow.Submission("refused", None, str(error))
        self._seen += 1
        enough = self._seen == self.count
        try:
            self.show(event)
            if self.save is not None:
                await trio.to_thread.run_sync(_save, self.save, event)
            else:
                await trio.lowlevel.checkpoint()
        except OSError as error:
            self.end(1, f"stopped: {error.strerror or error}")
        if enough:
            self._stop.deadline = trio.current_time() + 0.1  # after its receipt
        return voeflow.Submission("accepted", event.ivorn)

    def show(self, event: voeflow.Event) -> None:
        """Print an event."""
        if self.raw:
            packet = event.raw if event.raw.endswith(b"\n") else event.raw + b"\n"
            sys.stdout.buffer.write(packet)
            sys.stdout.buffer.flush()
        else:
            click.echo(describe(event))

    def failed(self, remote: Address, ending: Ending) -> None:
        """End at the first failure if there was no success before it."""
        if not self._reached and not ending.heard:
            reason = voeflow.printable(ending.reason)
            unreached = reason.removeprefix("cannot be reached: ")
            verb = "reach" if unreached != reason else "listen to"
            self.end(3, f"cannot {verb} {remote}: {unreached}")
        self._reached = True

    def end(self, status: int, failure: str) -> None:
        """Stop, with an exit status and the reason."""
        self.status, self.failure = status, failure
        self._stop.cancel()


def describe(event: voeflow.Event) -> str:
    """Give an event as one line: when it came, its role, its IVORN and its position in degrees, if any."""
    role, ivorn = voeflow.printable(event.role, 20), voeflow.printable(event.ivorn)
    line = f"{event.received:%Y-%m-%dT%H:%M:%SZ} {role:<11} {ivorn}"
    position = event.position
    if position is None:
        return line
    error = "" if position.error is None else f" ± {position.error:.4g}"
    return f"{line} RA {position.ra:.4f} Dec {position.dec:+.4f}{error} deg"


def file_name(event: voeflow.Event) -> str:
    """Make a name that no other event has, of its IVORN and SHA-256: letters, digits and `._-` alone."""
    stem = _UNSAFE.sub("_", event.ivorn.removeprefix("ivo://")).strip("._")[:_LONGEST_NAME]
    return f"{stem or 'event'}.{event.digest.hex()}.xml"


def _save(directory: Path, event: voeflow.Event) -> None:
    """Write an event's file, whole or not at all."""
    path = directory / file_name(event)
    temporary = directory / f".{secrets.token_hex(8)}.tmp"
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
        with open(descriptor, "wb") as file:
            file.write(event.raw)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
