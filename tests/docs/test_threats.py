"""Each threat that the documentation names has a guard, and a test that is there."""

from __future__ import annotations

import ast
import functools
import re

import pytest

from docs.pages import DOCS, ROOT

PAGE = DOCS / "explanation" / "security.md"

_TABLE = re.compile(r"^\|(?P<heads>.*\| shown by )\|\n\|[ -|]+\|\n(?P<rows>(?:\|.*\|\n)+)", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    tables = _TABLE.finditer(PAGE.read_text(encoding="utf-8"))
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for table in tables
        for line in table["rows"].splitlines()
    ]


@functools.cache
def names_in(file: str) -> frozenset[str]:
    path = ROOT / "tests" / file
    if not path.exists():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(function.name for function in functions)


def test_there_are_threats() -> None:
    assert len(rows()) > 20


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_a_threat_has_a_guard_and_a_test_that_is_there(row: list[str]) -> None:
    threat, guard, shown = row
    named = _TEST.findall(shown)
    assert threat
    assert guard
    assert named, f"nothing shows what stops this: {threat}"
    assert not _TEST.sub("", shown).strip(" ,;"), (
        f"expected only tests, as `core/test_xml.py::test_...`: {shown}"
    )
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []
