from __future__ import annotations

import pytest

import voeflow
from support.samples import voevent
from voeflow_filters.author import Author


def event_by(author: str) -> voeflow.Event:
    return voeflow.Event.parse(voevent(author=author))


@pytest.mark.parametrize(
    ("wanted", "author"),
    [
        ("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom"),
        ("ivo://obspm.gepi/svom", "IVO://ObsPM.gepi/SVOM"),
        ("IVO://OBSPM.gepi/svom", "ivo://obspm.gepi/svom"),
        ("ivo://obspm.gepi/svom", "  ivo://obspm.gepi/svom\n"),
        ("ivo://obspm.gepi/*", "ivo://obspm.gepi/svom"),
        ("ivo://OBSPM*", "ivo://obspm.gepi/svom"),
        ("ivo://*", "ivo://anyone"),
    ],
)
def test_passes(wanted: str, author: str) -> None:
    assert Author((wanted,)).matches(event_by(author))


@pytest.mark.parametrize(
    ("wanted", "author"),
    [
        ("ivo://obspm.gepi/svom", "ivo://obspm.gepi/svom2"),
        ("ivo://obspm.gepi/svom", "ivo://obspm.gepi/"),
        ("ivo://obspm.gepi/svom", "ivo://obspm-gepi/svom"),  # a dot is a dot
        ("ivo://obspm.gepi/*", "ivo://obspm.gep"),
        ("ivo://nasa.gsfc.tan/k", "ivo://nasa.gsfc.tan/\N{KELVIN SIGN}"),
    ],
)
def test_does_not_pass(wanted: str, author: str) -> None:
    assert not Author((wanted,)).matches(event_by(author))


def test_any_of_several_passes() -> None:
    several = Author(("ivo://a.example/x", "ivo://b.example/*"))
    assert several.matches(event_by("ivo://a.example/x"))
    assert several.matches(event_by("ivo://b.example/y"))
    assert not several.matches(event_by("ivo://c.example/x"))


def test_an_event_without_an_author_does_not_pass() -> None:
    verdict = Author(("ivo://*",)).matches(voeflow.Event.parse(voevent(body="<What/>")))
    assert verdict == voeflow.Verdict(False, "no AuthorIVORN")


def test_says_who_the_author_is_in_printable_text() -> None:
    verdict = Author(("ivo://*",)).matches(event_by("ivo://x/&#x202e;" + "y" * 1000))
    assert verdict.holds
    assert verdict.reason.startswith("author is ivo://x/")
    assert verdict.reason.isprintable()
    assert len(verdict.reason) < 120


@pytest.mark.parametrize(
    ("authors", "told"),
    [
        (("obspm.gepi/svom",), "starts with ivo://"),
        (("*",), "starts with ivo://"),
        (("ivo://obs*/svom",), r"one \*"),
        ((), "at least one"),
    ],
)
def test_what_is_no_author_is_a_mistake(authors: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Author(authors)
