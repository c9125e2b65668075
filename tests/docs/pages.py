"""The pages of the documentation and the code blocks on them."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import attrs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(
    r"^(?P<fence>`{3,})(?:(?P<plain>[a-z]+)|\{code-block\} (?P<named>[a-z]+))\n(?P<body>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
_NOT_RUN = re.compile(r"^<!-- not run: (?P<why>[^\n]+) -->\n\n?\Z", re.MULTILINE)
_CAPTION = re.compile(r":caption: (.*)\n\n")


@attrs.frozen
class Block:
    """A code block.

    Attributes:
        page: where it is, as `tutorial/first-filter.md`.
        line: where it begins there.
        language: what its fence says: `toml`, `console`.
        caption: its caption, or empty.
        text: what is in it.
        not_run: why no test runs it, if none does: `<!-- not run: why -->` stands above it.
    """

    page: str
    line: int
    language: str
    caption: str
    text: str
    not_run: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Give every page that a reader reads, the two at the root among them."""
    return [
        *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts),
        ROOT / "CONTRIBUTING.md",
        ROOT / "README.md",
    ]


def blocks(*languages: str) -> list[Block]:
    """Give the code blocks of some languages on all pages."""
    return [block for page in pages() for block in blocks_of(page) if block.language in languages]


def blocks_of(page: Path) -> Iterator[Block]:
    """Give the code blocks of one page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        body = found["body"]
        caption = ""
        if found["named"] and (told := _CAPTION.match(body)):
            caption, body = told[1], body[told.end() :]
        line = text.count("\n", 0, found.start()) + 1
        name = page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT)
        why = _NOT_RUN.search(text[max(0, found.start() - 300) : found.start()])
        yield Block(
            str(name), line, found["plain"] or found["named"], caption, body, why["why"] if why else ""
        )


def commands(block: Block) -> Iterator[list[str]]:
    """Give the words of each command line in a `console` or `sh` block that calls `voeflow`."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        if block.language == "console" and not line.startswith("$ "):
            continue
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words and Path(words[0]).name == "voeflow":
            yield words[1:]


def generated() -> ModuleType:
    """Import the module that makes the generated parts of pages."""
    name = "docs_generated"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, DOCS / "generated.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def rendered(page: str) -> str:
    """Give a page's source with its generated parts filled in."""
    text: str = generated().fill_in((DOCS / page).read_text(encoding="utf-8"))
    return text
