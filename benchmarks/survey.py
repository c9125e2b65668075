"""Read many packets and tell, for each kind, what is in them.

A kind is a stream (the IVORN without its local part) and a notice type (the Param `Packet_Type`, if any).

    python benchmarks/survey.py DIRECTORY_OR_TAR [--odd]

With `--odd`, also list the packets that were refused, break their grammar, or lack a position or a time.
"""

from __future__ import annotations

import argparse
import collections
import tarfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

import voeflow

COLUMNS = ("packets", "valid", "position", "error", "time", "date", "author", "citations", "params", "groups")


def packets(source: Path) -> Iterator[tuple[str, bytes]]:
    """The XML files of a directory or a tar file, with their names."""
    if source.is_dir():
        for path in sorted(source.rglob("*.xml")):
            yield str(path.relative_to(source)), path.read_bytes()
        return
    with tarfile.open(source) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and member.name.endswith(".xml"):
                yield member.name, file.read()


def kind(event: voeflow.Event) -> tuple[str, str]:
    """The stream and the notice type of an event."""
    stream = event.ivoid.stream if event.ivoid else event.ivorn
    notice = event.params.get("Packet_Type")
    return stream, notice.value if notice else ""


def facts(event: voeflow.Event) -> dict[str, bool]:
    """Which of the facts that are counted an event has."""
    position = event.position
    return {
        "packets": True,
        "valid": event.valid,
        "position": position is not None,
        "error": position is not None and position.error is not None,
        "time": event.time is not None,
        "date": event.date is not None,
        "author": event.author is not None,
        "citations": bool(event.citations),
        "params": bool(event.params),
        "groups": bool(event.groups),
    }


def main() -> None:
    """Survey what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--odd", action="store_true")
    arguments = parser.parse_args()

    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    odd: list[str] = []
    for name, raw in packets(arguments.source):
        try:
            event = voeflow.Event.parse(raw)
        except voeflow.EventError as error:
            odd.append(f"{name}: refused: {error}")
            continue
        found = facts(event)
        counts[kind(event)].update(fact for fact, present in found.items() if present)
        missing = [fact for fact in ("position", "time", "date") if not found[fact]]
        reasons = [f"no {', '.join(missing)}"] if missing else []
        reasons += [f"breaks its grammar: {event.defects[0].message}"] if event.defects else []
        odd += [f"{name}: {'; '.join(reasons)}"] if reasons else []

    table = Table("stream", "type", *COLUMNS)
    for (stream, notice), count in sorted(counts.items()):
        table.add_row(
            voeflow.printable(stream), voeflow.printable(notice), *(str(count[c] or "") for c in COLUMNS)
        )
    total = sum(counts.values(), collections.Counter())
    table.add_section()
    table.add_row("all", "", *(str(total[c]) for c in COLUMNS))
    console = Console()
    console.print(table)
    if arguments.odd:
        for line in odd:
            console.print(voeflow.printable(line, 300), markup=False, highlight=False)


if __name__ == "__main__":
    main()
