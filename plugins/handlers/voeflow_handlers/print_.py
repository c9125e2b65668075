"""The `print` handler: a line on standard output for each event."""

from __future__ import annotations

import json
import sys
import threading
from typing import Literal

import attrs

import voeflow

from ._facts import facts
from ._summary import check_template, fields, one_line

#: The heading of the table, and its columns' widths.
_ROW = "{received:<20}  {role:<11}  {ra:>9}  {dec:>9}  {error:>8}  {ivorn}"
_HEADING = _ROW.format(received="received", role="role", ra="ra", dec="dec", error="error", ivorn="ivorn")


def _template(instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None:
        check_template(value)


@attrs.frozen
class Print:
    """Print a line for each event on standard output.

    For a look at what comes in, and for what reads lines: a row of a table, or with `format = "json"` one
    JSON object a line, with the names of `voeflow events show --format json`. `template` makes a line of your
    own, of the fields that `email` has. Whatever a packet holds, it is one line of printable text. The log is
    on standard error, so the two do not mix.

        [handlers.screen]
        plugin = "print"
        when   = "not test"
    """

    format: Literal["row", "json"] = attrs.field(
        default="row", metadata={"help": '"row" of a table, or "json" for one JSON object a line'}
    )
    template: str | None = attrs.field(
        default=None,
        validator=_template,
        metadata={"help": 'a line of your own, in place of the row, as "{role} at {position}"'},
    )
    _begun: threading.Event = attrs.field(init=False, repr=False, eq=False, factory=threading.Event)
    _writing: threading.Lock = attrs.field(init=False, repr=False, eq=False, factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        """Refuse a template of what is no text.

        Raises:
            ValueError: both are given.
        """
        if self.template is not None and self.format == "json":
            raise ValueError('expected either template or format = "json", not both')

    def handle(self, event: voeflow.Event, delivery: voeflow.Delivery) -> None:
        """Print an event.

        Raises:
            OSError: standard output is closed, or takes no more.
        """
        line = self.line(event, delivery.id)
        with self._writing:
            if self.template is None and self.format == "row" and not self._begun.is_set():
                line = f"{_HEADING}\n{line}"
            # What the terminal's encoding has no bytes for must not fail a delivery.
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            sys.stdout.flush()
            self._begun.set()

    def line(self, event: voeflow.Event, delivery: str) -> str:
        """Give the line for an event, without its end."""
        if self.format == "json":
            return json.dumps(facts(event, delivery), ensure_ascii=True)
        if self.template is not None:
            return one_line(self.template.format_map(fields(event, delivery)), 2000)
        position = event.position
        return _ROW.format(
            received=f"{event.received:%Y-%m-%dT%H:%M:%SZ}",
            role=voeflow.printable(event.role, 11),
            ra=f"{position.ra:.4f}" if position else "-",
            dec=f"{position.dec:+.4f}" if position else "-",
            error=f"{position.error:.3g}" if position and position.error else "-",
            ivorn=voeflow.printable(event.ivorn, 200),
        )
