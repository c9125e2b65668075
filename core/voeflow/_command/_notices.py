"""Notices in files, as `voeflow test` reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from voeflow._command._pipelines import BAD_PIPELINE, fail, warn
from voeflow._errors import EventError, StoreError
from voeflow._event import Event
from voeflow._mapping import Fault, ask
from voeflow._mapping_plugins import to_ask
from voeflow._notice import Notice
from voeflow._store_reader import StoreReader
from voeflow._tables import Pipeline
from voeflow._text import printable

#: What may stand before the first character: the byte order marks, with the zero bytes of wide characters.
_BEFORE = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"


def is_packet(raw: bytes) -> bool:
    """Whether a file is XML, by its first character; what is none is a notice."""
    return raw[:64].lstrip(_BEFORE).startswith(b"<") or not raw


@contextmanager
def reader_of_notices(
    pipeline: Pipeline, topic: str, mapping: str, *, tell: Callable[[str], None] = click.echo
) -> Iterator[Callable[[Path, bytes], Event]]:
    """Give a function that makes an event of a notice as the pipeline's node would, and says on the way how.

    Args:
        pipeline: whose store is looked into, if it is there, for what came before the first file.
        topic: that the notices come from.
        mapping: the one to ask, or empty.
        tell: is told by which mapping an event was made.

    Returns:
        The function, for a `with` block. It takes the file and its bytes, and raises EventError where no
        mapping takes the notice.
    """
    try:
        asked = to_ask(pipeline.mappings, topic, mapping)
    except LookupError as error:
        fail(f"--mapping: {error.args[0]}", BAD_PIPELINE)
    store = _open(pipeline)

    made: list[str] = []

    def earlier(prefix: str) -> Sequence[str]:
        stored = [] if store is None else store.earlier(prefix)
        return [*stored, *(ivorn for ivorn in made if ivorn.startswith(prefix) and ivorn not in stored)]

    def read(path: Path, raw: bytes) -> Event:
        if not topic and not mapping:
            raise EventError("it is no XML; if it is a notice, say where it comes from: --topic TOPIC")
        reasons = []
        for plugin in asked:
            answer = ask(
                plugin,
                Notice(raw, topic),
                earlier,
                source="",
                received=datetime.now(UTC),
                max_event=pipeline.node.max_event,
            )
            if isinstance(answer, Event):
                made.append(answer.ivorn)
                tell(f"{path}: made a VOEvent by the mapping {plugin.name} of {plugin.distribution}")
                return answer
            if isinstance(answer, EventError):
                raise answer
            if isinstance(answer, Fault):
                reasons.append(f"the mapping {plugin.name} of {plugin.distribution} {answer.reason}")
        raise EventError("; ".join(reasons) or _unknown(pipeline, topic, [each.name for each in asked]))

    try:
        yield read
    finally:
        if store is not None:
            store.close()


def made_of(event: Event) -> Iterator[str]:
    """Say in lines what was made of a notice; nothing for an event that was none."""
    if not event.attachments:
        return
    if event.description:
        yield f"description: {printable(event.description, 200)}"
    if event.time is not None:
        yield f"time: {event.time.isoformat()}"
    if (position := event.position) is not None:
        error = "unknown" if position.error is None else f"{position.error:g} deg"
        yield f"position: ra {position.ra:.5f} deg, dec {position.dec:+.5f} deg, error {error}"
    for citation in event.citations:
        yield f"cites: {printable(citation.ivorn)} ({printable(citation.kind, 40)})"
    yield f"parameters: {len(event.params)}, and {len(event.groups)} groups of them"
    for each in event.attachments:
        yield f"attachment: {each.name}, {each.media_type}, {len(each.content)} bytes"


def _open(pipeline: Pipeline) -> StoreReader | None:
    if not pipeline.node.store.exists():
        return None
    try:
        return StoreReader.open(pipeline.node.store)
    except StoreError as error:
        warn(f"{error}; so no earlier events are known here")
        return None


def _unknown(pipeline: Pipeline, topic: str, asked: Sequence[str]) -> str:
    if asked:
        return f"not known to {' or '.join(asked)}"
    topics = sorted({each for plugin in pipeline.mappings for each in plugin.topics})
    return (
        f"no mapping is installed for the topic {topic!r}; there are some for {', '.join(topics) or 'none'}"
    )
