from __future__ import annotations

import threading

import pytest

from support.samples import voevent
from voeflow import Event, XPath
from voeflow._xpath import MAX_EXPRESSION

EVENT = Event.parse(voevent())


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ('//Who[AuthorIVORN="ivo://obspm.gepi/svom"]', True),
        ('//Who[AuthorIVORN="ivo://nasa.gsfc.tan/gcn"]', False),
        ('//Param[@name="Sun_Distance" and @value>40]', True),
        ('/*[local-name()="VOEvent" and @role="observation"]', True),
        ("@role='observation'", True),
        ("/VOEvent", False),
        ("//Nothing", False),
        ("1", True),
        ("-0.5", True),
        ("0", False),
        ("number('x')", False),
        ("'x'", True),
        ("''", False),
        ("'false'", True),
        ("false()", False),
        ("count(//Param) > 2", True),
        ("0 div 0", False),
    ],
)
def test_an_expression_holds_by_the_rules_of_boolean(expression: str, holds: bool) -> None:
    assert XPath(expression).holds(EVENT) is holds


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "got nothing"),
        ("  ", "got nothing"),
        ("//Who[", "unclosed"),
        ("1 +", "invalid expression"),
        ("count(1)", "Invalid type"),
        ("//Who[$author]", "$variable"),
        ("//voe:VOEvent", "voe:"),
        ("//Nowhere[re:test(., 'x')]", "re:"),
        ("//Nowhere[matches(., 'x')]", "matches()"),
        ("document('/etc/passwd')", "document()"),
        ("unparsed-text('x')", "unparsed-text()"),
        ("(" * 2000 + "1" + ")" * 2000, "no XPath 1.0"),
        ("'" + "x" * MAX_EXPRESSION + "'", "too long"),
        ("//Who\x00", "control"),
        ("//Who\ud800", "control"),
    ],
)
def test_what_cannot_be_used_is_refused_when_it_is_made(expression: str, reason: str) -> None:
    with pytest.raises(ValueError, match="XPath") as caught:
        XPath(expression)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_what_is_quoted_is_no_name() -> None:
    assert XPath("'$5 voe:x f(x)' = '$5 voe:x f(x)'").holds(EVENT)


def test_axes_are_no_prefixes() -> None:
    assert XPath("//AuthorIVORN/ancestor::Who/child::Date").holds(EVENT)


def test_results_are_plain_values() -> None:
    values = EVENT.xpath('//Param[@name="Packet_Type"]/@value')
    assert values == ["61"]
    assert isinstance(values, list)
    assert type(values[0]) is str


def test_an_event_refuses_an_expression_that_is_none() -> None:
    with pytest.raises(ValueError, match="XPath"):
        EVENT.xpath("//Who[")


def test_equal_expressions_are_equal() -> None:
    assert XPath("//Who") == XPath("//Who")
    assert str(XPath("//Who")) == "//Who"


def test_one_expression_serves_several_threads() -> None:
    question = XPath("count(//Param[@value > 40])")
    events = [Event.parse(voevent(packet_type=number)) for number in (1, 61)]
    answers: list[list[object]] = []

    def ask() -> None:
        answers.append([event.xpath(question) for _ in range(100) for event in events])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[1.0, 2.0] * 100] * 4
