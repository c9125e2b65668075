from __future__ import annotations

import pytest

import voeflow
from support.samples import voevent
from voeflow._plugins import load_plugins
from voeflow_filters import register_filters
from voeflow_filters.xpath import XPathFilter


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ('//Param[@name="Sun_Distance" and @value>40]', True),
        ('//Param[@name="Sun_Distance" and @value>95]', False),
        ('//Who[AuthorIVORN="ivo://obspm.gepi/svom"]', True),
        ('number(//Param[@name="none"]/@value)', False),  # NaN
        ("count(//Group)", True),
        ('string(//Param[@name="none"]/@value)', False),
    ],
)
def test_holds_as_boolean_of_xpath_does(expression: str, holds: bool) -> None:
    question = XPathFilter(voeflow.XPath(expression))
    assert question.matches(voeflow.Event.parse(voevent())) is holds


def test_the_filters_are_registered_under_the_names_of_the_contract() -> None:
    assert set(register_filters()) == {
        *(
            "age",
            "author",
            "cites",
            "cone",
            "ivorn",
            "notice",
            "once",
            "param",
            "rate",
            "role",
            "signed",
            "xpath",
        )
    }


def test_only_what_is_surely_quick_stays_on_the_event_loop() -> None:
    filters = {
        name: each
        for name, each in load_plugins().filters.items()
        if each.distribution.startswith("voeflow ")
    }
    inline = {name for name, each in filters.items() if getattr(each.cls, "inline", False)}
    assert inline == {"age", "author", "cites", "ivorn", "notice", "param", "role"}
