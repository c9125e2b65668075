"""`voeflow events show`: one event, or one thing that was refused, with all that the store has of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from voeflow._command._facts import refusal, show_time, whole_of_store
from voeflow._command._pipelines import BAD_PIPELINE, fail, look_or_exit, pipeline_argument
from voeflow._command.events_selection import NOTHING, found_or_exit, open_store, whole_or_exit
from voeflow._errors import StoreError
from voeflow._store_deliveries import deliveries_of, verdicts_of
from voeflow._store_reader import StoreReader
from voeflow._store_records import Refusal, StoredEvent
from voeflow._store_select import find_refused
from voeflow._text import printable


@click.command("show")
@pipeline_argument
@click.argument("ivorn")
@click.option("--raw", is_flag=True, help="The bytes of the packet, or of what was refused, as they came in.")
@click.option("--attachment", metavar="NAME", help="The bytes of what is kept beside it, as notice.json.")
@click.option("--refused", is_flag=True, help="IVORN is a number that `list --refused` gives.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    pipeline: Path, ivorn: str, raw: bool, attachment: str | None, refused: bool, format_: str
) -> None:
    """Show the events of one IVORN in the store of PIPELINE, and what became of them.

    One IVORN may have come in several forms; all are shown, newest first, and `--raw` prints the newest. An
    event is not wanted by a sink whose `when` or `sources` left it out: `voeflow explain` says why. With
    `--refused`, show what was refused under that number. Exit status: 0; 1 if there is none; 2 if the
    pipeline, or what was asked, is wrong.
    """
    if attachment is not None and (raw or refused):
        fail("--attachment goes with neither --raw nor --refused.", BAD_PIPELINE)
    look = look_or_exit(pipeline)
    store = open_store(look.pipeline)
    try:
        if refused:
            _show_refused(_found_refused(store, ivorn), raw, format_)
        else:
            _show_events(store, found_or_exit(store, ivorn), raw, attachment, format_)
    except StoreError as error:
        fail(str(error), BAD_PIPELINE)
    finally:
        store.close()


def _found_refused(store: StoreReader, number: str) -> Refusal:
    if not (number.isascii() and number.isdigit()):
        fail(
            f'--refused: expected a number that `voeflow events list --refused` gives, got "{number}"',
            BAD_PIPELINE,
        )
    found = find_refused(store, min(int(number[:20]), 2**63 - 1))
    if found is None:
        click.echo(f"nothing was refused under the number {number} in {store.path}", err=True)
        sys.exit(NOTHING)
    return found


def _show_events(
    store: StoreReader,
    found: list[StoredEvent],
    raw: bool,
    attachment: str | None,
    format_: str,
) -> None:
    if (raw or attachment is not None) and len(found) > 1:
        click.echo(f"the newest of {len(found)} events of this IVORN:", err=True)
    if raw:
        sys.stdout.buffer.write(found[0].raw)
    elif attachment is not None:
        sys.stdout.buffer.write(_attached(whole_or_exit(store, found[0]), attachment))
    elif format_ == "json":
        for stored in found:
            click.echo(json.dumps(_everything(store, whole_or_exit(store, stored)), ensure_ascii=True))
    else:
        for stored in found:
            _show(store, whole_or_exit(store, stored))


def _attached(stored: StoredEvent, name: str) -> bytes:
    content = next((each.content for each in stored.attachments if each.name == name), None)
    if content is None:
        names = ", ".join(each.name for each in stored.attachments) or "nothing"
        fail(f"there is no {name} beside it: {names} is kept there.", NOTHING)
    return content


def _show_refused(found: Refusal, raw: bool, format_: str) -> None:
    if raw:
        sys.stdout.buffer.write(found.raw)
    elif format_ == "json":
        click.echo(json.dumps(refusal(found), ensure_ascii=True))
    else:
        for name, value in refusal(found).items():
            _line(name, value)


def _everything(store: StoreReader, stored: StoredEvent) -> dict[str, Any]:
    return {
        **whole_of_store(stored),
        "deliveries": [
            {
                "sink": d.sink,
                "state": d.state,
                "attempts": d.attempts,
                "reason": d.reason,
                "at": None if d.at is None else show_time(d.at, "milliseconds"),
            }
            for d in deliveries_of(store, stored.seq)
        ],
        "verdicts": [
            {"filter": v.filter, "holds": v.holds, "reason": v.reason} for v in verdicts_of(store, stored.seq)
        ],
    }


def _show(store: StoreReader, stored: StoredEvent) -> None:
    facts = _everything(store, stored)
    click.echo(click.style(printable(stored.ivorn, 1000), bold=True))
    position = facts.pop("position")
    if position is not None:
        error = "unknown" if position["error"] is None else f"{position['error']:g} deg"
        facts["position"] = (
            f"ra {position['ra']:.5f} deg, dec {position['dec']:+.5f} deg, error {error}, {position['frame']}"
        )
    for name in ("received", "role", "author", "date", "version", "source", "valid", "description", "time"):
        _line(name, facts[name])
    _line("position", facts.get("position"))
    for citation in facts["citations"]:
        _line("cites", f"{citation['ivorn']} ({citation['kind']})")
    for param in facts["params"]:
        _line(param["name"], f"{param['value']} {param['unit']}")
    for group in facts["groups"]:
        for param in group["params"]:
            _line(f"{group['name']}.{param['name']}", f"{param['value']} {param['unit']}")
    for defect in facts["defects"]:
        _line("breaks its grammar", defect)
    for each in facts["attachments"]:
        _line("attachment", f"{each['name']}, {each['media_type']}, {each['bytes']} bytes")
    for verdict in facts["verdicts"]:
        _line(f"filter {verdict['filter']}", f"{'holds' if verdict['holds'] else 'no'}: {verdict['reason']}")
    for delivery in facts["deliveries"]:
        _line(f"sink {delivery['sink']}", _state(**delivery))


def _state(sink: str, state: str, attempts: int, reason: str, at: str | None) -> str:
    # Where the filters gave no answer there was no attempt: the sink itself was not tried.
    tries = {0: "", 1: " after 1 attempt"}.get(attempts, f" after {attempts} attempts")
    if state == "delivered":
        return f"delivered at {at}{tries if attempts > 1 else ''}"
    if state == "done":
        return "done: delivered, or not wanted"  # before the store kept which
    return f"{state}{tries}: {reason}" if reason else state


def _line(name: str, value: object) -> None:
    if value not in (None, ""):
        click.echo(f"  {printable(str(name), 60)}: {printable(str(value), 500).rstrip()}")
