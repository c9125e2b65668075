from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow import Event, EventError
from voeflow._element import Layout, _lay_out_unusual, lay_out

#: Things that look like the element, or like its end, where they are not.
DECOYS = st.lists(
    st.sampled_from(
        [
            "<VOEvent",
            "</VOEvent>",
            "<v:VOEvent/>",
            "/>",
            ">",
            "<",
            "'",
            '"',
            "é",
            "\r\n",
            " ",
            "]]>",
            "<![CDATA[",
        ]
    ),
    max_size=5,
).map("".join)
COMMENTS = DECOYS.map(lambda inner: f"<!--{inner}<!-<??>-->")
INSTRUCTIONS = DECOYS.map(lambda inner: f"<?note {inner}<!-- --> <?x?>")
MISC = st.lists(
    st.one_of(COMMENTS, INSTRUCTIONS, st.sampled_from([" ", "\n", "\r\n", "\t"])), max_size=4
).map("".join)
ATTRIBUTES = st.sampled_from(
    ["", " a='>'", ' a="/>"', ' a = "\'"', "\n\ta='</VOEvent>'".replace("<", "&lt;"), " a='é'"]
)
INSIDE = st.recursive(
    st.one_of(
        COMMENTS,
        INSTRUCTIONS,
        DECOYS.map(lambda inner: f"<![CDATA[{inner.replace(']]>', ']] >')}]]>"),
        st.sampled_from(["text > text", "<Param/>", "<Param a='1' />", "<VOEvent/>", "'", '"']),
        ATTRIBUTES.map(lambda attributes: f"<x{attributes}/>"),
    ),
    lambda inner: st.tuples(st.sampled_from(["VOEvent", "What", "a--"]), ATTRIBUTES, inner).map(
        lambda of: f"<{of[0]}{of[1]}>{of[2]}</{of[0]}\n>"
    ),
    max_leaves=6,
)
ELEMENTS = st.tuples(
    st.sampled_from([("VOEvent", ""), ("VOEvent", " xmlns='urn:x'"), ("v:VOEvent", " xmlns:v='urn:x'")]),
    ATTRIBUTES,
    st.lists(INSIDE, max_size=4).map("".join),
    st.sampled_from(["", " ", "\n"]),
).map(
    lambda of: (
        f"<{of[0][0]}{of[0][1]} ivorn='ivo://org.example/a#b'{of[1]}"
        + (f">{of[2]}</{of[0][0]}{of[3]}>" if of[2] else f"{of[3]}/>")
    )
)
#: How the packet is written: Python's codec, the byte order mark, and the name that it declares, if any.
ENCODINGS = st.sampled_from(
    [
        ("utf-8", b"", None),
        ("utf-8", b"", "UTF-8"),
        ("utf-8", codecs.BOM_UTF8, None),
        ("utf-8", codecs.BOM_UTF8, "utf-8"),
        ("iso-8859-1", b"", "ISO-8859-1"),
        ("cp1252", b"", "windows-1252"),
        ("utf-16-le", codecs.BOM_UTF16_LE, None),
        ("utf-16-be", codecs.BOM_UTF16_BE, "UTF-16"),
        ("utf-16-le", b"", "UTF-16LE"),
        ("utf-32-be", codecs.BOM_UTF32_BE, None),
        ("utf-32-le", b"", "UTF-32LE"),
    ]
)


@given(ENCODINGS, MISC, ELEMENTS, MISC)
def test_the_element_is_cut_out_exactly_whatever_stands_in_and_around_it(
    encoding: tuple[str, bytes, str | None], before: str, element: str, after: str
) -> None:
    codec, mark, declared = encoding
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    expected = element.encode(codec)
    event = Event.parse(mark + f"{declaration}{before}".encode(codec) + expected + after.encode(codec))
    assert event.element == expected
    assert event.digest == hashlib.sha256(expected).digest()


def test_a_declaration_comments_and_blanks_around_the_element_leave_its_digest_alone() -> None:
    bare = b"<VOEvent ivorn='ivo://org.example/a#b'/>"
    dressed = (
        b"<?xml version='1.0'?>\n<!-- signed -->"
        + bare
        + b"\n<!-- -----BEGIN\nPGP --> ".replace(b"-----", b"~")
    )
    assert Event.parse(bare).digest == Event.parse(dressed).digest


def test_a_blank_inside_the_element_makes_another_message() -> None:
    assert (
        Event.parse(b"<VOEvent ivorn='ivo://org.example/a#b'/>").digest
        != Event.parse(b"<VOEvent ivorn='ivo://org.example/a#b' />").digest
    )


@pytest.mark.parametrize(
    "encoding", ["UTF-7", "ISO-2022-JP", "cp037", "Shift_JIS", "GB18030", "UTF-16", "no such thing\x1b[31m"]
)
def test_an_encoding_that_two_readers_could_read_differently_is_refused(encoding: str) -> None:
    with pytest.raises(EventError, match="UTF-8") as caught:
        lay_out(f"<?xml version='1.0' encoding='{encoding}'?><VOEvent/>".encode())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("before", ["", "\n ", "<!-- x -->\n", "<?xml version='1.0'?>\n<?a b?>"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_doctype_is_refused_with_its_place(before: str, codec: str) -> None:
    with pytest.raises(EventError, match="DOCTYPE") as caught:
        Event.parse(f"{before}<!DOCTYPE VOEvent><VOEvent ivorn='ivo://org.example/a#b'/>".encode(codec))
    assert caught.value.line == before.count("\n") + 1


DECLARATIONS = st.tuples(
    st.sampled_from(["<?xml", "<?xml ", "<?xml\n", "<?XML ", "<?x "]),
    st.sampled_from(["", "version='1.0'", 'version="1.0"', "version='1.1'"]),
    st.sampled_from(["", " encoding='UTF-8'", ' encoding="utf-8"', " encoding='UTF-16'", " encoding='utf7'"]),
    st.sampled_from(["", " standalone='yes'", ' standalone="no"', " standalone='?>'", " >"]),
    st.sampled_from(["?>", " ?>", ">", "", "?><?x?>"]),
).map("".join)


@given(
    st.lists(
        st.one_of(DECLARATIONS, MISC, DECOYS, st.sampled_from(["<!DOCTYPE a>", "\0", "<_/>"])), max_size=5
    )
    .map("".join)
    .map(str.encode),
)
def test_the_quick_look_at_a_packet_finds_what_the_long_one_does(raw: bytes) -> None:
    assert outcome(lay_out, raw) == outcome(_lay_out_unusual, raw)


@pytest.mark.parametrize("before", [b"", b"\r\n ", b"<?xml version='1.0' encoding='UTF-8'?>\n"])
def test_the_usual_packet_has_the_quick_look_alone(before: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voeflow._element._lay_out_unusual", None)
    assert lay_out(before + b"<VOEvent/>") == ("latin-1", len(before))


def outcome(look: Callable[[bytes], Layout], raw: bytes) -> Layout | tuple[str, int | None, int | None]:
    try:
        return look(raw)
    except EventError as error:
        return str(error), error.line, error.column


@given(st.binary(max_size=200))
def test_any_bytes_are_laid_out_or_refused(raw: bytes) -> None:
    try:
        layout = lay_out(raw)
    except EventError as error:
        reason = str(error)
    else:
        reason = ""
        assert raw[layout.start :].decode(layout.codec).startswith("<")
    assert reason.isprintable()
