"""An event in words: the fields that a mail's subject and body may name, and the summary of them all.

Everything here comes from a packet and is trusted in nothing: each value is printable and bounded, and so is
the number of lines.
"""

from __future__ import annotations

import string
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches

import voeflow

from ._sky import show_angle, show_position, show_time

#: The greatest length of a value on a line, and of a description, in characters.
VALUE_MAX, DESCRIPTION_MAX = 200, 2000

#: The table of parameters: the longest name and unit, and the longest value that others are lined up with, in
#: characters; the most rows. A longer value is often a link, and kept whole up to `VALUE_MAX`.
NAME_WIDTH, UNIT_WIDTH, ALIGNED_WIDTH, ROWS_MAX = 32, 20, 40, 100

#: The most lines of any other list: concepts, citations, what is said of the author.
LIST_MAX = 20

_LABEL = 14
_WIDTH = 78

#: VOEvent has no namespace below the root, but some packets do; hence `local-name()`.
_WHY = '/*/*[local-name()="Why"]'
_AUTHOR = '/*/*[local-name()="Who"]/*[local-name()="Author"]'
_CONCEPTS = voeflow.XPath(f'{_WHY}//*[local-name()="Concept"]/text()')
_NAMES = voeflow.XPath(f'{_WHY}//*[local-name()="Name"]/text()')
_IMPORTANCE = voeflow.XPath(f"string({_WHY}/@importance)")

#: What a packet may say of its author (VOEvent 2.0, section 3.2.3), and what a reader calls it.
_AUTHOR_LABELS = [
    (label, voeflow.XPath(f'{_AUTHOR}/*[local-name()="{tag}"]/text()'))
    for tag, label in {
        "title": "Title",
        "shortName": "Name",
        "contactName": "Contact",
        "contactEmail": "E-mail",
        "contactPhone": "Telephone",
        "contributor": "Contributor",
    }.items()
]

#: What stands before the name of a Param in a template: `{param:TrigID}`.
BY_NAME = "param"

#: The fields, by what they hold.
FIELDS = {
    "ivorn": "the event's IVORN",
    "role": "observation, prediction, utility or test",
    "version": "the VOEvent version of the packet",
    "author": "AuthorIVORN",
    "description": "what the author says in words, shortened",
    "concepts": "what it is, in the IVOA's words",
    "names": "what it is called, where it has a name",
    "importance": "0 to 1, the author's word",
    "date": "when the author wrote the packet, UTC",
    "time": "when it happened in the sky, UTC",
    "position": "right ascension and declination, sexagesimal and in degrees",
    "ra": "right ascension in degrees",
    "dec": "declination in degrees",
    "error": "error radius, in the unit that reads best",
    "frame": "the frame of the position",
    "parameters": "a table of the What parameters, several lines",
    "citations": "the events that it refers to",
    "source": "the transport that it came in through",
    "received": "when, UTC",
    "delivery": "the id of this delivery, the same at every repeat",
    "summary": "all of these, on many lines",
}


def check_template(template: str) -> None:
    """See that a template names only fields that there are.

    Args:
        template: text with fields in braces, as `{role}: {ivorn}`; a brace itself is written twice.

    Raises:
        ValueError: it names others, or has a brace too many or too few.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; a brace that is no field is written twice: {{{{ or }}}}") from None
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name == BY_NAME and not conversion:
            if not spec or "{" in spec:
                raise ValueError("expected the name of a Param, as {param:TrigID}")
            continue
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, n=1)
            there_are = f"there are: {', '.join(FIELDS)}, and {{{BY_NAME}:NAME}} for the Param of that name"
            hint = f"did you mean {{{near[0]}}}?" if near else there_are
            raise ValueError(f"there is no field {{{name}}}; {hint}")
        if spec or conversion:
            raise ValueError(f"expected {{{name}}} without : or !")


class _ByName:
    """The Params of an event, for `{param:NAME}`."""

    def __init__(self, event: voeflow.Event, escape: Callable[[str], str]) -> None:
        self._event = event
        self._escape = escape

    def __format__(self, name: str) -> str:
        groups = (param for group in self._event.groups for param in group.params if param.name == name)
        param = self._event.params.get(name) or next(groups, None)
        if param is None:
            return "unknown"
        return self._escape(f"{one_line(param.value)} {one_line(param.unit, UNIT_WIDTH)}".strip())


def fields(
    event: voeflow.Event, delivery: str, escape: Callable[[str], str] = lambda text: text
) -> Mapping[str, object]:
    """Give every field of an event, for a template; one that the packet lacks is `unknown`.

    Args:
        event: the event.
        delivery: the delivery's id.
        escape: what is done to each value: where the text goes, some characters may mean something.
    """
    shown: dict[str, object] = {name: escape(value) for name, value in _shown(event, delivery).items()}
    shown[BY_NAME] = _ByName(event, escape)
    return shown


def _shown(event: voeflow.Event, delivery: str) -> dict[str, str]:
    position = event.position
    values = {
        "ivorn": event.ivorn,
        "role": event.role,
        "version": event.version,
        "author": event.author,
        "concepts": ", ".join(_texts(event, _CONCEPTS)),
        "names": ", ".join(_texts(event, _NAMES)),
        "importance": str(event.xpath(_IMPORTANCE)),
        "date": event.date and show_time(event.date),
        "time": event.time and show_time(event.time),
        "position": position and show_position(position.ra, position.dec),
        "ra": position and repr(position.ra),
        "dec": position and repr(position.dec),
        "error": position and position.error and show_angle(position.error),
        "frame": position and (position.frame or position.coord_system),
        "citations": ", ".join(f"{c.kind} {c.ivorn}" for c in event.citations[:LIST_MAX]),
        "source": event.source,
        "received": show_time(event.received.replace(microsecond=0)),
        "delivery": delivery,
    }
    shown = {name: one_line(value) if value else "unknown" for name, value in values.items()}
    shown["description"] = one_line(event.description or "unknown", DESCRIPTION_MAX)
    shown["parameters"] = "\n".join(_parameters(event)) or "none"
    shown["summary"] = "\n".join(_summary(event, shown))
    return shown


def one_line(text: str, limit: int = VALUE_MAX) -> str:
    """Give text of a packet as one printable line: blanks and line breaks of any number are one blank."""
    return voeflow.printable(" ".join(text[: 10 * limit].split()), limit)


def headline(event: voeflow.Event) -> str:
    """Give an event in one line, for a list of several."""
    parts = [f"{event.received:%H:%M:%S}", one_line(event.role, 20), one_line(event.ivorn, 120)]
    if event.position is not None:
        parts.append(show_position(event.position.ra, event.position.dec))
    return "  ".join(parts)


def _summary(event: voeflow.Event, shown: dict[str, str]) -> Iterator[str]:
    if event.role == "test":
        yield "This is a test. Nothing has happened."
        yield ""
    yield "What"
    yield from _entry("Role", shown["role"])
    yield from _entry("Concept", shown["concepts"])
    yield from _entry("Name", shown["names"])
    yield from _entry("Importance", shown["importance"])
    yield from _entry("Description", shown["description"])
    yield "\nWho"
    yield from _entry("Author", shown["author"])
    for label, value in _author(event):
        yield from _entry(label, value)
    yield from _entry("Written", shown["date"])
    yield "\nWhen and where"
    yield from _entry("Time", shown["time"], always=True)
    yield from _entry("RA, Dec", shown["position"], always=True)
    if event.position is not None:
        yield from _entry("Error radius", shown["error"], always=True)
        yield from _entry("Frame", shown["frame"], always=True)
    yield "\nParameters"
    yield shown["parameters"]
    if event.citations:
        yield "\nRefers to"
        for citation in event.citations[:LIST_MAX]:
            yield from _entry(one_line(citation.kind or "-", _LABEL), one_line(citation.ivorn))
        yield from _more(len(event.citations) - LIST_MAX)
    yield "\nPacket"
    yield from _entry("IVORN", shown["ivorn"])
    yield from _entry("Version", shown["version"])
    yield from _entry("Received", f"{shown['received']} through {shown['source']}")
    yield from _entry("Delivery", shown["delivery"])


def _entry(label: str, value: str, *, always: bool = False) -> Iterator[str]:
    """Give a labelled value, wrapped; nothing where it is unknown, unless that is worth saying."""
    if value != "unknown" or always:
        yield from textwrap.wrap(
            value,
            _WIDTH,
            initial_indent=f"  {label:<{_LABEL}} ",
            subsequent_indent=" " * (_LABEL + 3),
            break_long_words=False,
            break_on_hyphens=False,
        )


def _parameters(event: voeflow.Event) -> Iterator[str]:
    """Give the table of parameters: those of no group, then each group under its name."""
    rows = [("", param) for param in event.params]
    rows += [(_group_name(group), param) for group in event.groups for param in group.params]
    cells = [
        (
            group,
            one_line(p.name or "-", NAME_WIDTH),
            one_line(p.value),
            one_line(p.unit, UNIT_WIDTH),
        )
        for group, p in rows[:ROWS_MAX]
    ]
    name_width = max((len(name) for _, name, _, _ in cells), default=0)
    value_width = max((len(v) for _, _, v, unit in cells if unit and len(v) <= ALIGNED_WIDTH), default=0)
    last = ""
    for group, name, value, unit in cells:
        if group != last:
            yield f"  {group}:"
            last = group
        indent = "    " if group else "  "
        yield f"{indent}{name:<{name_width + 4 - len(indent)}}  {value:<{value_width}}  {unit}".rstrip()
    yield from _more(len(rows) - ROWS_MAX)


def _group_name(group: voeflow.Group) -> str:
    name = one_line(group.name, NAME_WIDTH) or "group without a name"
    return f"{name} ({one_line(group.type, NAME_WIDTH)})" if group.type.strip() else name


def _author(event: voeflow.Event) -> Iterator[tuple[str, str]]:
    """Give what the packet says of its author, with labels."""
    for label, question in _AUTHOR_LABELS:
        for text in _texts(event, question):
            yield label, text


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  ... and {count} more"


def _texts(event: voeflow.Event, question: voeflow.XPath) -> list[str]:
    found = event.xpath(question)
    texts: Iterable[object] = found[:LIST_MAX] if isinstance(found, list) else ()
    return [line for text in texts if (line := one_line(str(text)))]
