from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow._when import MAX_DEPTH, MAX_LENGTH, parse_when, why_no_name

NAMES = ("a", "b", "c", "d")

expressions = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not {one}"),
        inner.map(lambda one: f"({one})"),
        st.tuples(inner, st.sampled_from(("and", "or")), inner).map(" ".join),
    ),
    max_leaves=12,
)
answers = st.fixed_dictionaries({name: st.booleans() for name in NAMES})


@given(expressions, answers)
def test_all_known_answers_decide_as_python_would(text: str, known: dict[str, bool]) -> None:
    assert parse_when(text).decide(known) is eval(text, {}, known)


@given(expressions, answers, st.sets(st.sampled_from(NAMES)))
def test_an_answer_from_some_is_the_answer_from_all(
    text: str, truth: dict[str, bool], asked: set[str]
) -> None:
    when = parse_when(text)
    decided = when.decide({name: truth[name] for name in asked})
    rest = [name for name in NAMES if name not in asked]
    possible = {
        eval(text, {}, {**truth, **dict(zip(rest, others, strict=True))})
        for others in itertools.product([True, False], repeat=len(rest))
    }
    if isinstance(decided, str):
        assert decided in when.names - asked
    else:
        assert possible == {decided}


@given(expressions, answers)
def test_asking_one_name_after_another_comes_to_the_answer(text: str, truth: dict[str, bool]) -> None:
    when, known = parse_when(text), dict[str, bool]()
    while isinstance(decided := when.decide(known), str):
        assert decided not in known
        known[decided] = truth[decided]
    assert decided is eval(text, {}, truth)


def test_filters_are_asked_from_left_to_right_and_no_more_than_needed() -> None:
    when = parse_when("near and (slow or test)")
    assert when.decide({}) == "near"
    assert when.decide({"near": False}) is False
    assert when.decide({"near": True}) == "slow"
    assert when.decide({"near": True, "slow": True}) is True
    assert when.decide({"near": True, "slow": False}) == "test"


def test_a_known_answer_to_the_right_spares_the_asking_to_the_left() -> None:
    assert parse_when("slow and test").decide({"test": False}) is False


def test_names_may_hold_dashes_and_digits() -> None:
    when = parse_when("far-from-sun and not 2nd_test")
    assert when.names == {"far-from-sun", "2nd_test"}
    assert when.decide({"far-from-sun": True, "2nd_test": False}) is True


def test_no_expression_holds_for_every_event() -> None:
    when = parse_when(None)
    assert when.decide({}) is True
    assert when.names == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'at character 1: expected the name of a filter, "not" or "(", got the end'),
        ("a and", 'at character 6: expected the name of a filter, "not" or "(", got the end'),
        ("a b", 'at character 3: expected "and", "or" or the end, got "b"'),
        ("(a or b", 'at character 8: expected "and", "or" or ")", got the end'),
        ("a)", 'at character 2: expected "and", "or" or the end, got ")"'),
        ("a & b", 'at character 3: expected "and", "or" or the end, got "&"; write "and"'),
        ("!a", 'at character 1: expected the name of a filter, "not" or "(", got "!"; write "not"'),
        (
            "a AND b",
            'at character 3: expected "and", "or" or the end, got "AND"; write "and" in small letters',
        ),
        ("and", 'at character 1: expected the name of a filter, "not" or "(", got "and"'),
        ("a.b", 'at character 2: expected "and", "or" or the end, got "."'),
        ("a and -b", 'at character 7: expected the name of a filter, "not" or "(", got "-"'),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="at character") as raised:
        parse_when(text)
    assert str(raised.value) == message


@pytest.mark.parametrize("text", ["__import__('os')", "a if b else c", "a == b", "lambda: a", "[a]", "a\0b"])
def test_code_is_no_expression(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_when(text)


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("not ", "")])
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    assert parse_when(opening * MAX_DEPTH + "a" + closing * MAX_DEPTH).names == {"a"}
    with pytest.raises(ValueError, match="nested deeper than 50"):
        parse_when(opening * 1000 + "a" + closing * 1000)


def test_length_is_bounded() -> None:
    with pytest.raises(ValueError, match=r"at most 4096 characters, got 4097"):
        parse_when("a" * (MAX_LENGTH + 1))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        when = parse_when(text)
    except ValueError:
        return
    assert all(why_no_name(name) == "" for name in when.names)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a.b", "é", "a\n"])
def test_odd_names_are_refused(name: str) -> None:
    assert "letters, digits, _ and -" in why_no_name(name)
