"""The `spawn` handler: a command for each event."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

import attrs
import structlog
import trio

import voeflow

from ._process import converse

log = structlog.get_logger()

#: The longest value of a VOEVENT_ variable in characters.
VALUE_MAX = 1000


class CommandFailed(Exception):  # noqa: N818 - reads as what happened
    """A command that could not be run, did not end in time, or ended badly.

    Attributes:
        status: its exit status, minus the signal's number where a signal ended it, or None where it never
            ended by itself.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def _command(instance: object, attribute: attrs.Attribute[tuple[str, ...]], command: tuple[str, ...]) -> None:
    if not command or not command[0]:
        raise ValueError('expected the program and its arguments, as in ["./slew.sh", "--fast"], got none')
    if any("\0" in word for word in command):
        raise ValueError("expected words without NUL characters")


def _environment(instance: object, attribute: attrs.Attribute[dict[str, str]], extra: dict[str, str]) -> None:
    for name, value in extra.items():
        if not name or "=" in name or "\0" in name + value:
            raise ValueError(f"expected names without = and no NUL characters, got {name!r}")
        if name.startswith("VOEVENT_"):
            raise ValueError(f"{name}: variables that start with VOEVENT_ are set from the event")


@attrs.frozen
class Spawn:
    """Run a command for each event.

    For whatever the site already has as a script or a program. The packet's bytes, as received, are on the
    command's standard input, and what they say is in its environment:

        VOEVENT_IVORN, VOEVENT_ROLE, VOEVENT_VERSION, VOEVENT_AUTHOR
        VOEVENT_DATE          when the author wrote it, UTC: 2026-11-24T01:02:03Z
        VOEVENT_TIME          when it happened in the sky, UTC
        VOEVENT_RA, VOEVENT_DEC, VOEVENT_ERROR    degrees
        VOEVENT_SOURCE        the transport it came in through
        VOEVENT_DELIVERY      the same at every repeat of this event to this handler
        VOEVENT_ATTEMPT       1, 2, ...
        VOEVENT_ATTACHMENTS   of an event that was made of a notice: a directory with the notice,
                              notice.json, and whatever else is kept beside it, a sky map say

    What the packet does not say is unset. The values are an author's words: one line each, but not otherwise
    to be trusted; quote them ("$VOEVENT_IVORN"). The directory is a temporary one (mode 0700, where TMPDIR
    says), and goes when the command has ended: copy what is to stay.

    Exit status 0 is success. Anything else, an end by a signal, or no end within `timeout` is a failure, and
    is tried again. At the time limit, and when the node stops, the whole process group is ended: SIGTERM,
    then SIGKILL. A helper that the command leaves running after its own end is left alone, but is no longer
    listened to after a second. Standard output and standard error go to the log, line by line.

        [handlers.slew]
        plugin  = "spawn"
        command = ["./slew.sh", "--fast"]
        timeout = "30 s"
        when    = "svom and not test"
    """

    concurrency: ClassVar[int] = 4

    command: tuple[str, ...] = attrs.field(
        validator=_command,
        metadata={
            "help": "the program and its arguments, a list; no shell reads it. A program with a slash is"
            " looked up from `directory`, any other on the PATH"
        },
    )
    timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(60.0),
        validator=attrs.validators.gt(voeflow.Seconds(0)),
        metadata={"help": "how long the command may take before its process group is ended"},
    )
    directory: Path = attrs.field(
        default=Path("."),
        metadata={"help": "where the command runs; the pipeline file's directory if left out"},
    )
    environment: dict[str, str] = attrs.field(
        factory=dict,
        validator=_environment,
        metadata={"help": "more environment variables for the command, beside those of the node itself"},
    )
    output_limit: voeflow.Bytes = attrs.field(
        default=voeflow.Bytes(64 * 1024),
        metadata={"help": "how much of the command's output goes to the log; the rest is read and dropped"},
    )

    def start(self) -> None:
        """See that the command can be run.

        Raises:
            ValueError: there is no such directory or program, it is not executable, or what is to run it is
                not there; the message names it.
        """
        if not self.directory.is_dir():
            raise ValueError(f"there is no directory {self.directory} to run {self.command[0]} in")
        program = self.command[0]
        if os.sep not in program:
            path = (os.environ | self.environment).get("PATH", os.defpath)
            found = shutil.which(program, path=path)
            if found is None:
                raise ValueError(f'there is no program "{program}" on the PATH ({path})')
            _see_what_runs(Path(found), self.directory)
            return
        file = self.directory / program
        if not file.is_file():
            raise ValueError(f"there is no program {file}")
        if not os.access(file, os.X_OK):
            raise ValueError(f"{file} is not executable (chmod +x {file})")
        _see_what_runs(file, self.directory)

    async def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
        """Run the command and wait for its end.

        Raises:
            CommandFailed: it could not be run, did not end in time, or ended badly.
        """
        if not event.attachments:
            await self._run(event, delivery, {})
            return
        folder = await trio.to_thread.run_sync(_lay_out, event.attachments)
        try:
            await self._run(event, delivery, {"VOEVENT_ATTACHMENTS": str(folder)})
        finally:
            with trio.CancelScope(shield=True):  # a few small files
                await trio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))

    async def _run(self, event: voeflow.Event, delivery: voeflow.Delivery, variables: dict[str, str]) -> None:
        told = log.bind(ivorn=voeflow.printable(event.ivorn), delivery=delivery.id)
        environment = child_environment(os.environ, self.environment, event, delivery) | variables
        try:
            process = await trio.lowlevel.open_process(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.directory,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(f"{self.command[0]} cannot be run: {_why(error)}") from error
        ending = await converse(process, event.raw, timeout=self.timeout, log=told, budget=self.output_limit)
        words = f": {ending.last_words}" if ending.last_words else ""
        if ending.status is None:
            limit = voeflow.show_seconds(self.timeout)
            raise CommandFailed(f"{self.command[0]} did not end within {limit} and was stopped{words}")
        if ending.status:
            raise CommandFailed(f"{self.command[0]} {_ending(ending.status)}{words}", ending.status)


def event_variables(event: voeflow.Event, delivery: voeflow.Delivery) -> dict[str, str]:
    """Give what a command is told of an event: values of one printable line, at most `VALUE_MAX` characters.

    Returns:
        The variables; one that the packet has no value for is not among them.
    """
    position = event.position
    facts = {
        "IVORN": event.ivorn,
        "ROLE": event.role,
        "VERSION": event.version,
        "AUTHOR": event.author,
        "DATE": _moment(event.date),
        "TIME": _moment(event.time),
        "RA": _number(position.ra if position else None),
        "DEC": _number(position.dec if position else None),
        "ERROR": _number(position.error if position else None),
        "SOURCE": event.source,
        "DELIVERY": delivery.id,
        "ATTEMPT": str(delivery.attempt),
    }
    return {
        f"VOEVENT_{name}": _encodable(voeflow.printable(value, VALUE_MAX))
        for name, value in facts.items()
        if value
    }


def child_environment(
    inherited: Mapping[str, str], extra: Mapping[str, str], event: voeflow.Event, delivery: voeflow.Delivery
) -> dict[str, str]:
    """Put together a command's environment; no VOEVENT_ variable is inherited from the node's own."""
    own = {name: value for name, value in inherited.items() if not name.startswith("VOEVENT_")}
    return own | dict(extra) | event_variables(event, delivery)


def _lay_out(attachments: Sequence[voeflow.Attachment]) -> Path:
    """Write attachments into a new temporary directory that only this user can enter.

    Raises:
        OSError: they cannot be written; nothing is left behind.
    """
    folder = Path(tempfile.mkdtemp(prefix="voeflow-"))
    try:
        for each in attachments:
            (folder / each.name).write_bytes(each.content)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _moment(moment: datetime | None) -> str | None:
    """Give a time as ISO 8601 in UTC with a Z, as most programs read it."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: float | None) -> str | None:
    """Give a number with all its digits."""
    return None if value is None else repr(float(value))


def _encodable(value: str) -> str:
    """Escape what the system's encoding has no bytes for: no letter in a packet may fail its delivery."""
    encoding = sys.getfilesystemencoding()
    return value.encode(encoding, "backslashreplace").decode(encoding)


def _why(error: OSError) -> str:
    if error.errno == errno.ENOEXEC:
        return "it does not say what runs it; its first line should be #!/bin/sh or the like"
    return error.strerror or str(error)


def _see_what_runs(file: Path, directory: Path) -> None:
    """See that a script says what runs it, and that this is there; what `env` is to find is its own affair.

    Raises:
        ValueError: it says nothing, or what is not there; a shell would guess, but none is asked.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(256)  # as much as Linux looks at (BINPRM_BUF_SIZE)
    except OSError:  # executable but not readable: as good as compiled
        return
    line = head.partition(b"\n")[0]
    # As the kernel reads it: blanks and tabs end a word, and the carriage return of Windows is in it.
    words = re.split(rb"[ \t]+", line[2:].strip(b" \t")) if line.startswith(b"#!") else [b""]
    interpreter = os.fsdecode(words[0])
    if not interpreter:
        if head.startswith(b"#!") or (head.isascii() and b"\0" not in head):
            raise ValueError(
                f"{file} does not say what runs it; its first line should be #!/bin/sh or the like"
            )
    elif "\0" in interpreter or not (directory / interpreter).exists():
        hint = " (Windows line ends? run dos2unix)" if interpreter.endswith("\r") else ""
        raise ValueError(
            f'{file} cannot be run: its first line names "{voeflow.printable(interpreter)}", which does not'
            f" exist{hint}"
        )


def _ending(status: int) -> str:
    if status > 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
