"""`voeflow send`: submits events to a broker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import attrs
import click
import trio

import voeflow

from ._addresses import AUTHORS_PORT, Address, read_remote
from ._secured import Secured
from ._signing import Signer, read_signer
from ._submit import Outcome, UnreachableError, submit_all
from ._tls_options import TLSOptions, tls_options

#: The longest packet that Comet takes, in bytes: the default of the library that it reads frames with.
COMET_LIMIT = 99_999

#: From how many events on a progress bar is shown on a terminal.
_MANY = 10

_STANDARD_INPUT = "-"

#: What a nak says where a broker held an event against the schema of another version; the second is Comet's
#: ("No matching global declaration available for the validation root").
_OF_A_SCHEMA = ("schema", "validation root")


@attrs.frozen
class _Packet:
    """An event to be sent.

    Attributes:
        name: its file, for the reader.
        shown: its IVORN if it is known, else its file.
        version: its VOEvent version, or empty.
        raw: its bytes where they cannot be read again, else None.
        size: how many bytes it has, without the signature that it gets.
        signer: what signs it on its way, or None.
    """

    name: str
    shown: str
    version: str
    raw: bytes | None
    size: int
    signer: Signer | None = None

    async def load(self) -> bytes:
        if self.raw is not None:
            await trio.lowlevel.checkpoint()
            raw = self.raw
        else:
            raw = await trio.Path(self.name).read_bytes()
        return raw if self.signer is None else self.signer.sign(raw)


@click.command("send")
@click.argument(
    "events",
    nargs=-1,
    required=True,
    metavar="EVENT...",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option(
    "--to",
    "remote",
    required=True,
    metavar="HOST[:PORT]",
    help=f"The broker; port {AUTHORS_PORT} if left out.",
)
@click.option(
    "--timeout", default="30 s", show_default=True, help="How long to wait for it, and for each receipt."
)
@tls_options
@click.option("--no-check", is_flag=True, help="Send the files as they are, even what is no VOEvent.")
@click.option(
    "--sign",
    "key",
    metavar="KEY",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sign each event with the secret OpenPGP key in this file, which gpg --export-secret-keys writes:"
    " a comment is added after the event, whose bytes stay as they are.",
)
@click.option(
    "--passphrase-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Where the key's passphrase is; without this it is asked for on the terminal.",
)
def send(
    events: tuple[str, ...],
    remote: str,
    timeout: str,
    tls: TLSOptions,
    no_check: bool,
    key: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Submit EVENT files to a broker, in order; - is standard input.

    One line tells what became of each. Nothing is sent if one of them is no VOEvent. Exit status: 0 if all
    were acknowledged; 1 if one was not; 3 if the broker could not be reached.
    """
    if no_check and key is not None:
        raise click.UsageError("only a VOEvent can be signed: leave out --no-check or --sign")
    try:
        address, patience = read_remote(remote, AUTHORS_PORT), voeflow.parse_seconds(timeout)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        signer = None if key is None else read_signer(key, lambda: _passphrase(passphrase_file))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    packets = [_read(name, signer, check=not no_check) for name in events]
    good = [packet for packet in packets if packet is not None]
    if len(good) < len(packets):
        click.echo("nothing was sent", err=True)
        sys.exit(1)
    sys.exit(trio.run(_send, address, good, patience, tls.towards(address.name)))


def _passphrase(file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise ValueError(
            "the key has a passphrase, and there is no terminal to ask for it: --passphrase-file"
        )
    return str(click.prompt("Passphrase of the key", hide_input=True, err=True))


def _read(name: str, signer: Signer | None, *, check: bool) -> _Packet | None:
    """Read a file and look whether it can be sent; None, after telling why, if it cannot."""
    raw = sys.stdin.buffer.read() if name == _STANDARD_INPUT else Path(name).read_bytes()
    kept = raw if name == _STANDARD_INPUT else None
    shown = "standard input" if kept is not None else name
    if len(raw) > COMET_LIMIT:
        click.echo(
            f"{shown}: {len(raw)} bytes; a Comet broker closes the connection on more than {COMET_LIMIT}",
            err=True,
        )
    if not check:
        return _Packet(name, shown, "", kept, len(raw))
    try:
        event = voeflow.Event.parse(raw, max_bytes=max(len(raw), 1))
        if signer is not None:
            signer.sign(raw)  # now, before anything is sent, and again when it is its turn
    except voeflow.EventError as error:
        place = ":".join(str(part) for part in (shown, error.line, error.column) if part is not None)
        click.echo(f"{place}: {error.reason}", err=True)
        return None
    return _Packet(name, voeflow.printable(event.ivorn), event.version, kept, len(raw), signer)


async def _send(
    address: Address, packets: list[_Packet], timeout: float, secured: Secured | None = None
) -> int:
    told = 0
    bad = False
    progress = _progress(len(packets))

    def tell(number: int, outcome: Outcome) -> None:
        nonlocal told, bad
        told += 1
        bad = bad or outcome.kind != "accepted"
        click.echo(_line(packets[number], outcome))
        if progress is not None:
            progress.advance(progress.task_ids[0])

    async def load(number: int) -> bytes:
        return await packets[number].load()

    try:
        if progress is not None:
            progress.start()
        await submit_all(address, len(packets), load, timeout, tell, secured)
    except UnreachableError as error:
        left = f"; {len(packets) - told} of {len(packets)} events were not sent" if told else ""
        click.echo(f"cannot reach {address}: {error}{left}", err=True)
        return 3
    finally:
        if progress is not None:
            progress.stop()
    return 1 if bad else 0


def _line(packet: _Packet, outcome: Outcome) -> str:
    note = voeflow.printable(outcome.note, 500)
    match outcome.kind:
        case "accepted":
            return f"accepted {packet.shown}" + (f" ({note})" if note else "")
        case "refused":
            if packet.version not in ("", "2.0") and any(each in note.lower() for each in _OF_A_SCHEMA):
                note += f" (the event is VOEvent {packet.version}, and the broker may take 2.0 only)"
            return f"refused {packet.shown}: {note}"
        case "unanswered" if outcome.closed:
            return (
                f"temporary failure {packet.shown}: the broker {note}: is this address allowed there, does it"
                f" want TLS, and is the packet ({packet.size} bytes) below its limit? If so, send it again"
            )
        case "unanswered":
            return f"temporary failure {packet.shown}: the broker {note}; send it again"


def _progress(count: int) -> Any:
    """Make a progress bar on a terminal, for many events; else None."""
    if count <= _MANY or not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),  # on one terminal, lines go above the bar
        transient=True,
    )
    progress.add_task("sending", total=count)
    return progress
