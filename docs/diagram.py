"""Diagrams made from text when the pages are built: a directive `diagram`, drawn as SVG.

Each line is a box or an arrow:

    box   intake  2 1  "intake | parse, judge, hash"
    arrow intake store  "one commit"

A box has a name, a column, a row and a text, of which what follows a `|` is smaller and on lines of its own;
`box outside ...` draws it dashed, for what is not ours. An arrow goes from one box to another, with words
beside it if there are any; `arrow both ...` has two heads.
"""

from __future__ import annotations

import shlex
from html import escape
from typing import Any

import attrs
from docutils import nodes
from docutils.parsers.rst import Directive

#: Sizes in pixels: of the grid, of a box in it, of the margin.
COLUMN, ROW, WIDTH, MARGIN = 212, 104, 142, 8
LINE, SMALL = 15, 11

_OUTLINE = 'fill="none" stroke="currentColor"'


@attrs.frozen
class Box:
    """A box: where its middle is, and what it says."""

    x: float
    y: float
    title: str
    lines: tuple[str, ...]
    outside: bool

    @property
    def height(self) -> float:
        """Its height, by its lines."""
        return 26 + LINE * len(self.lines)


def draw(text: str) -> str:
    """Draw a diagram.

    Returns:
        An `svg` element that takes its colours from the page.

    Raises:
        ValueError: a line is neither box nor arrow, or an arrow's end is no box; the message has the line.
    """
    boxes: dict[str, Box] = {}
    arrows: list[tuple[str, str, str, bool]] = []
    for line in filter(str.strip, text.splitlines()):
        try:
            kind, *words = shlex.split(line)
            flag = words[0] in ("outside", "both")
            words = words[1:] if flag else words
            if kind == "box":
                name, column, row, said = words
                title, *lines = (part.strip() for part in said.split("|"))
                x = MARGIN + WIDTH / 2 + float(column) * COLUMN
                boxes[name] = Box(x, ROW / 2 + float(row) * ROW, title, tuple(lines), flag)
            elif kind == "arrow":
                start, end, *said = words
                arrows.append((start, end, *(said or [""]), flag))  # type: ignore[arg-type]
            else:
                raise ValueError(f"{kind!r} is neither box nor arrow")
        except (ValueError, IndexError) as error:
            raise ValueError(f"{line.strip()!r}: {error}") from None
    for start, end, *_ in arrows:
        for name in (start, end):
            if name not in boxes:
                raise ValueError(f"an arrow from {start!r} to {end!r}: there is no box {name!r}")
    width = max(box.x for box in boxes.values()) + WIDTH / 2 + MARGIN
    height = max(box.y + box.height / 2 for box in boxes.values()) + MARGIN
    drawn = [_arrow(boxes[start], boxes[end], said, both) for start, end, said, both in arrows]
    drawn += [_box(box) for box in boxes.values()]
    return (
        '<svg class="diagram" role="img" xmlns="http://www.w3.org/2000/svg"'
        f' viewBox="0 0 {width:g} {height:g}"'
        ' font-family="sans-serif" font-size="13" text-anchor="middle" fill="currentColor" stroke="none">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        f"{''.join(drawn)}</svg>"
    )


def _box(box: Box) -> str:
    left, top = box.x - WIDTH / 2, box.y - box.height / 2
    dashes = ' stroke-dasharray="4 3"' if box.outside else ""
    drawn = [
        f'<rect x="{left:g}" y="{top:g}" width="{WIDTH}" height="{box.height:g}" rx="5" {_OUTLINE}{dashes}/>',
        f'<text x="{box.x:g}" y="{top + 18:g}" font-weight="bold">{escape(box.title)}</text>',
    ]
    for number, line in enumerate(box.lines):
        y = top + 18 + LINE * (number + 1)
        drawn.append(f'<text x="{box.x:g}" y="{y:g}" font-size="{SMALL}">{escape(line)}</text>')
    return "".join(drawn)


def _arrow(start: Box, end: Box, said: str, both: bool) -> str:
    if start.x != end.x:  # from side to side
        side = 1 if end.x > start.x else -1
        x1, y1, x2, y2 = start.x + side * WIDTH / 2, start.y, end.x - side * WIDTH / 2, end.y
        words, anchor = ((x1 + x2) / 2, y1 - 6), "middle"
    else:  # up or down a column
        side = 1 if end.y > start.y else -1
        x1, y1, x2, y2 = start.x, start.y + side * start.height / 2, end.x, end.y - side * end.height / 2
        words, anchor = ((x1 + x2) / 2 + 6, (y1 + y2) / 2 + 4), "start"
    heads = ' marker-start="url(#head)"' if both else ""
    return (
        f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" {_OUTLINE} marker-end="url(#head)"{heads}/>'
        f'<text x="{words[0]:g}" y="{words[1]:g}" font-size="{SMALL}" text-anchor="{anchor}">'
        f"{escape(said)}</text>"
    )


class Diagram(Directive):
    """The directive; its one argument says what the picture shows, for those who cannot see it."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Draw it, for pages in HTML; other formats get the text."""
        try:
            svg = draw("\n".join(self.content))
        except ValueError as error:
            raise self.error(str(error)) from None
        label = f'<svg aria-label="{escape(self.arguments[0], quote=True)}"'
        return [nodes.raw("", svg.replace("<svg", label, 1), format="html")]


def setup(app: Any) -> dict[str, bool]:
    """Serve Sphinx."""
    app.add_directive("diagram", Diagram)
    return {"parallel_read_safe": True}
