from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow._ivoid import Ivoid, _parse_by_rule, names_event, parse_ivoid

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9\-_.~*'()]{2,8}", fullmatch=True)
PATHS = st.lists(st.from_regex(r"[A-Za-z0-9~][A-Za-z0-9\-_.~]{0,6}", fullmatch=True), max_size=3)
LOCALS = st.from_regex(r"[A-Za-z0-9\-._~+:@/?#]{0,12}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_532871-729",
            ("nasa.gsfc.gcn", "/SWIFT", "BAT_GRB_Pos_532871-729"),
        ),
        ("ivo://gwnet/LVC#MS181101ab-1", ("gwnet", "/LVC", "MS181101ab-1")),
        ("ivo://org.example/a/b?x/y#z", ("org.example", "/a/b", "x/y#z")),
        ("ivo://org.example/~?feros/data", ("org.example", "/~", "feros/data")),
        ("ivo://obspm.gepi", ("obspm.gepi", "", "")),
        ("IVO://obspm.gepi/svom", ("obspm.gepi", "/svom", "")),
        (
            "ivo://com.dc3/dc3.broker#Test-2014-04-24T02:23",
            ("com.dc3", "/dc3.broker", "Test-2014-04-24T02:23"),
        ),
    ],
)
def test_an_ivoid_is_divided_at_its_first_hash_or_question_mark(
    text: str, parts: tuple[str, str, str]
) -> None:
    found = parse_ivoid(text)
    assert (found.authority, found.path, found.local) == parts
    assert str(found).lower() == text.lower()


@pytest.mark.parametrize("text", ["ivo://org.example/a#", "ivo://org.example/a?"])
def test_an_empty_local_part_is_none(text: str) -> None:
    assert parse_ivoid(text).local == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ivo://"),
        ("http://org.example/a", "ivo://"),
        (" ivo://org.example/a", "ivo://"),
        ("ivo://", "3 characters"),
        ("ivo://ab/c", "3 characters"),
        ("ivo://.abc/c", "letter or digit"),
        ("ivo://a b c/c", "letters, digits"),
        ("ivo://org.exämple/c", "letters, digits"),
        ("ivo://org.example/", "slash"),
        ("ivo://org.example/a/#x", "slash"),
        ("ivo://org.example//a", "empty part"),
        ("ivo://org.example/a%20b", "slashes"),
        ("ivo://org.example/a::b", "slashes"),
        ("ivo://org.example/a/../b", ".."),
        ("ivo://org.example/a/./b", "."),
        ("ivo://org.example/a#x y", "%XX"),
        ("ivo://org.example/a#x%2", "%XX"),
        ("ivo://org.example/a#x\n", "%XX"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_that_rule(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="IVOID") as caught:
        parse_ivoid(text)
    assert reason in str(caught.value)


def test_authority_and_path_are_compared_without_regard_to_case_and_the_local_part_with() -> None:
    one = parse_ivoid("ivo://Org.Example/Stream#A")
    assert one == parse_ivoid("ivo://org.example/stream#A")
    assert hash(one) == hash(parse_ivoid("ivo://org.example/stream#A"))
    assert one != parse_ivoid("ivo://org.example/stream#a")
    assert one.stream == "ivo://Org.Example/Stream"


@given(NAMES, PATHS, st.sampled_from("#?"), LOCALS)
def test_what_is_put_together_is_taken_apart_again(
    authority: str, path: list[str], separator: str, local: str
) -> None:
    key = "".join(f"/{part}" for part in path)
    expected = Ivoid(authority, key, local, separator if local else "")
    assert parse_ivoid(f"ivo://{authority}{key}{separator}{local}") == expected


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        outcome = parse_ivoid(f"ivo://{text}").authority
    except ValueError as error:
        outcome = str(error)
    assert outcome


@given(
    st.sampled_from(["ivo://", "IVO://", "\u0131vo://", "\u0130vo://", "ivo:/"]),
    st.sampled_from(["", "abc", "abc/d", "abc/d#"]),
    st.lists(
        st.sampled_from(
            ["a", "Z9", "abc", ".", "..", "/", "//", "#", "?", "%2f", "%", "é", "\n", "!$&", ":", "-_~"]
        ),
        max_size=12,
    ).map("".join),
)
def test_all_rules_at_once_come_to_what_each_by_itself_does(scheme: str, sound: str, rest: str) -> None:
    text = scheme + sound + rest
    quick, by_rule = outcome(parse_ivoid, text), outcome(_parse_by_rule, text)
    assert quick == by_rule
    assert names_event(text) == (isinstance(by_rule, Ivoid) and bool(by_rule.local))


@given(NAMES, PATHS, st.sampled_from("#?"), LOCALS)
def test_an_ivoid_that_keeps_to_the_rules_is_read_without_going_through_them(
    authority: str, path: list[str], separator: str, local: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voeflow._ivoid._parse_by_rule", None)
        parse_ivoid(f"ivo://{authority}{''.join(f'/{part}' for part in path)}{separator}{local}")


def outcome(parse: Callable[[str], Ivoid], text: str) -> Ivoid | str:
    try:
        return parse(text)
    except ValueError as error:
        return str(error)
