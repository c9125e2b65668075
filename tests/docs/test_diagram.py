"""The pictures on the pages are drawn from their text."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest
from lxml import etree

from docs.pages import DOCS, pages

DIAGRAMS = [
    (page.name, found[1])
    for page in pages()
    for found in re.finditer(r"^```\{diagram\}[^\n]+\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
]


@pytest.fixture(scope="module")
def diagram() -> ModuleType:
    pytest.importorskip("docutils", reason="Sphinx is in the environment in which the pages are built")
    spec = importlib.util.spec_from_file_location("docs_diagram", DOCS / "diagram.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_picture_of_the_architecture() -> None:
    assert "architecture.md" in {page for page, _ in DIAGRAMS}


@pytest.mark.parametrize(("page", "text"), DIAGRAMS)
def test_each_box_and_arrow_of_a_page_is_drawn(diagram: ModuleType, page: str, text: str) -> None:
    root = etree.fromstring(diagram.draw(text))

    drawn = [each.tag.rpartition("}")[2] for each in root.iterdescendants("*")]
    assert drawn.count("rect") == len(re.findall(r"^box ", text, re.MULTILINE))
    assert drawn.count("path") == 1 + len(re.findall(r"^arrow ", text, re.MULTILINE))


def test_no_two_boxes_of_a_page_lie_on_one_another(diagram: ModuleType) -> None:
    for _, text in DIAGRAMS:
        root = etree.fromstring(diagram.draw(text))
        places = [
            (float(r.get("x")), float(r.get("y")), float(r.get("height"))) for r in root.iter("{*}rect")
        ]
        for n, (x, y, height) in enumerate(places):
            for other, top, more in places[n + 1 :]:
                assert x != other or y + height < top or top + more < y


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('box a 0 0 "a"\narrow a b', "there is no box 'b'"),
        ('circle a 0 0 "a"', "neither box nor arrow"),
        ("box a 0", "box a 0"),
        ('box a left 0 "a"', "could not convert"),
    ],
)
def test_a_line_that_cannot_be_drawn_is_told(diagram: ModuleType, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        diagram.draw(text)
