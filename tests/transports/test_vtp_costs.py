from __future__ import annotations

import pytest

from voeflow_transports.vtp._costs import Costs, allowance, limit
from voeflow_transports.vtp._plain import is_plain

SMALL = [b"x" * 5000]


def test_what_is_not_known_is_not_quick() -> None:
    costs = Costs()
    assert not costs.known("//a")
    assert not costs.quick("//a")
    costs.note({"//a": 20e-6}, SMALL)
    assert costs.known("//a")
    assert costs.quick("//a")


def test_what_is_quick_is_judged_by_the_size_of_the_events() -> None:
    costs = Costs()
    costs.note({"//a": 12e-3}, [b"x" * 600_000])
    assert costs.quick("//a")
    costs.note({"//a": 12e-3}, SMALL)
    assert not costs.quick("//a")


def test_what_was_ended_has_to_be_quick_many_times_before_it_is_taken_for_quick() -> None:
    costs = Costs()
    costs.note({"//a": 20e-6}, SMALL)
    costs.ended("//a")
    times = 0
    while not costs.quick("//a"):
        costs.note({"//a": 20e-6}, SMALL)
        times += 1
    assert 20 < times < 50


def test_what_is_suspected_has_to_be_quick_a_few_times() -> None:
    costs = Costs()
    costs.note({"//a": 20e-6}, SMALL)
    costs.suspect(["//a", "//b"])
    assert not costs.quick("//a")
    for _ in range(4):
        costs.note({"//a": 20e-6}, SMALL)
    assert costs.quick("//a")
    assert not costs.quick("//b")


def test_filters_are_ranked_by_what_they_cost_together() -> None:
    costs = Costs()
    costs.note({"//a": 20e-6, "//b": 100e-6, "//c": 1e-3, "//d": 5e-3}, SMALL)
    filters: list[list[str]] = [
        ["//a"],
        ["//a", "//b"],
        ["//b", "//c"],
        ["//c", "//c"],
        ["//a", "//d"],
        ["//?"],
    ]
    assert [costs.rank(each) for each in filters] == [0, 1, 2, 3, costs.last, costs.last]


def test_what_ends_an_expression_grows_with_the_events_and_is_below_a_tenth_of_a_second() -> None:
    assert limit(SMALL) < 0.01
    assert limit([b"x" * 2**20]) < 0.1
    assert allowance(SMALL * 2) == 2 * allowance(SMALL)


def test_what_is_remembered_is_bounded() -> None:
    costs = Costs()
    costs.note({f"//a[{number}]": 20e-6 for number in range(120_000)}, SMALL)
    assert not costs.known("//a[0]")
    assert costs.known("//a[119999]")


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        ('//Param[@name="Sun_Distance" and @value>40]', True),
        ("//Who[AuthorIVORN='ivo://a.b/c//[d]'] and //What", True),
        ("/*[@role='test'] or not(//Param[@name=\"a\"][@value < 3])", True),
        ("//Group/Param[contains(@name, '..')] or //Why[@importance > 0.5]", True),
        ('/*[local-name()="VOEvent" and starts-with(@ivorn, "ivo://a.b/")]', True),
        ('//Group[@name="a"]/Param[@name="b" and not(.=3)]/@value >= 0.5', True),
        ("number(//Param[@name='dec']/@value) > -30 and count(//Reference) > 0", True),
        ("//Param/@value > 3 div //Param/@value", True),
        ("//*[count(//*) > 1]", False),
        ("//*[.//a]", False),
        ("//*[*[a]]", False),
        ("//*//*//*", False),
        ("//a[1]//b", False),
        ("(//a)//b", False),
        ("//*/../*/../*", False),
        ("//*/following::*", False),
        ("//a[b = 'unclosed", False),
        # Each of these takes from two seconds to minutes on a packet of a megabyte made for it.
        ("//Param | //Param", False),
        ("//@name = //@value", False),
        ("//@name < //@value", False),
        ("//What[Param = Group]", False),
        ("//div//div//div", False),
        ("//and/or//mod", False),
        ("contains(//Description, //Reference)", False),
        (f"//*[contains(., '{60 * 'a'}') or contains(., '{60 * 'a'}b')]", False),
        (f"translate(/*, '{1900 * 'x'}', '')", False),
        ("concat(/*, /*)", False),
    ],
)
def test_what_is_plain_looks_at_each_element_once(expression: str, plain: bool) -> None:
    assert is_plain(expression) is plain
