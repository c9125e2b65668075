"""The `[[tests]]` of a pipeline: what it says that it does with an event."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import attrs

from voeflow._errors import Mistake
from voeflow._names import nearest
from voeflow._options import read_options
from voeflow._shown import show_value
from voeflow._tables import TESTS
from voeflow._utc import parse_utc


def _a_moment(_: object, __: object, text: str) -> None:
    if text and parse_utc(text) is None:
        raise ValueError(f'expected a time in UTC such as "2026-11-24T01:02:03", got "{text}"')


def _some_text(_: object, __: object, text: str) -> None:
    if not text.strip():
        raise ValueError("expected some words that say what is tested, got none")


def _names(which: str) -> tuple[str, ...]:
    field: tuple[str, ...] = attrs.field(default=(), metadata={"help": which, "one_or_many": True})
    return field


@attrs.frozen(kw_only=True)
class Expectation:
    """A `[[tests]]` table: an event, and what is expected to become of it."""

    name: str = attrs.field(validator=_some_text, metadata={"help": "what is tested, in words"})
    event: Path = attrs.field(
        metadata={"help": "the file of the event, or of the notice that a mapping makes it of"}
    )
    after: tuple[Path, ...] = attrs.field(
        default=(),
        metadata={
            "help": "the files of events that came before it, for filters that remember",
            "one_or_many": True,
        },
    )
    source: str = attrs.field(
        default="", metadata={"help": "the transport that it comes in through; any, if left out"}
    )
    received: str = attrs.field(
        default="",
        validator=_a_moment,
        metadata={"help": "when it comes in, in UTC, for filters that ask what time it is; now, if left out"},
    )
    topic: str = attrs.field(default="", metadata={"help": "of a notice: the topic that it comes from"})
    holds: tuple[str, ...] = _names("the filters that hold")
    holds_not: tuple[str, ...] = _names("the filters that do not hold")
    reaches: tuple[str, ...] = _names("the sinks that get it")
    reaches_not: tuple[str, ...] = _names("the sinks that do not get it")

    @property
    def moment(self) -> datetime | None:
        """When it comes in, in UTC; None for now."""
        return parse_utc(self.received) if self.received else None


def read_expectations(
    document: object,
    directory: Path,
    *,
    filters: Collection[str],
    sinks: Collection[str],
    sources: Collection[str],
    with_files: bool,
) -> tuple[tuple[Expectation, ...], list[Mistake]]:
    """Read what stands under `tests` in a pipeline file.

    Args:
        document: the value of that key.
        directory: what relative paths are relative to.
        filters: the names of the file's filters.
        sinks: the names of what events go out to.
        sources: the names of the transports that events come in through.
        with_files: whether the files of events have to be there.

    Returns:
        The sound ones, and every mistake.
    """
    if not isinstance(document, list):
        return (), [Mistake(TESTS, f"expected tables [[{TESTS}]], got {show_value(document)}")]
    mistakes: list[Mistake] = []
    read: list[Expectation] = []
    for number, table in enumerate(document):
        where = f"{TESTS}[{number}]"
        if not isinstance(table, dict):
            mistakes.append(Mistake(where, f"expected a table [[{TESTS}]], got {show_value(table)}"))
            continue
        test, found = read_options(Expectation, table, where=where, directory=directory, culprit="voeflow")
        mistakes += found
        told = test if test is not None else _sound_part(where, table, found, directory)
        if told is not None:
            mistakes += _unknown(where, told, filters, sinks, sources)
            mistakes += _missing(where, told) if with_files else ()
        if test is None:
            continue
        mistakes += _nothing_expected(where, test)
        if test.name in {each.name for each in read}:
            problem = f"another test is named {show_value(test.name)}"
            mistakes.append(Mistake(f"{where}.name", problem, "give it another name"))
        read.append(test)
    return tuple(read), mistakes


def _sound_part(
    where: str, table: Mapping[str, object], mistakes: Collection[Mistake], directory: Path
) -> Expectation | None:
    """Read what has no mistake of its own, so that what else is wrong in a table is told with those."""
    wrong = {re.split(r"[.\[]", each.where.removeprefix(f"{where}."))[0] for each in mistakes}
    sound = {key: value for key, value in table.items() if key not in wrong}
    stand_in = {"name": "-", "event": __file__}  # a file that is there
    return read_options(Expectation, stand_in | sound, where=where, directory=directory, culprit="voeflow")[0]


def _missing(where: str, test: Expectation) -> Iterator[Mistake]:
    """Say which of a test's files are not there."""
    for key, path in (("event", test.event), *(("after", each) for each in test.after)):
        if not path.is_file():
            remedy = "paths are relative to the pipeline file"
            yield Mistake(f"{where}.{key}", f"there is no file {path}", remedy)


def _unknown(
    where: str, test: Expectation, filters: Collection[str], sinks: Collection[str], sources: Collection[str]
) -> Iterator[Mistake]:
    """Hold the names in a test against those in the file."""
    for keys, known, what in (
        (("holds", "holds_not"), filters, "filter"),
        (("reaches", "reaches_not"), sinks, "sink"),
    ):
        for key in keys:
            for name in getattr(test, key):
                if name not in known:
                    problem = f"no {what} is named {show_value(name)}"
                    yield Mistake(f"{where}.{key}", problem, nearest(name, known, f"{what}s"))
        for name in sorted(set(getattr(test, keys[0])) & set(getattr(test, keys[1]))):
            yield Mistake(
                f"{where}.{keys[1]}", f"{show_value(name)} stands under {keys[0]} too", "leave out one"
            )
    if test.source and test.source not in sources:
        problem = f"no events come in through {show_value(test.source)}"
        yield Mistake(f"{where}.source", problem, nearest(test.source, sources, "sources"))


def _nothing_expected(where: str, test: Expectation) -> Iterator[Mistake]:
    if not (test.holds or test.holds_not or test.reaches or test.reaches_not):
        yield Mistake(where, "nothing is expected", "give holds, holds_not, reaches or reaches_not")
