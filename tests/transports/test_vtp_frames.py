from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.vtp_support import cuts, one_by_one, pieces
from voeflow_transports.vtp._frames import FrameReader, frame


def test_a_frame_is_a_big_endian_count_and_the_payload() -> None:
    assert frame(b"abc") == b"\0\0\0\x03abc"
    assert frame(b"") == b"\0\0\0\0"


@given(payloads=st.lists(st.binary(max_size=300), max_size=8), cuts=cuts, tail=st.binary(max_size=3))
def test_the_payloads_do_not_depend_on_how_the_stream_was_cut(
    payloads: list[bytes], cuts: list[int], tail: bytes
) -> None:
    stream = b"".join(map(frame, payloads)) + tail
    for cut in (pieces(stream, []), one_by_one(stream), pieces(stream, cuts)):
        reader = FrameReader(300)
        assert [payload for piece in cut for payload in reader.feed(piece)] == payloads
        assert reader.partial is bool(tail)
        assert reader.too_long is None


@given(cuts=cuts, tail=st.binary(max_size=50))
def test_what_comes_before_a_frame_too_long_is_still_read_and_nothing_after_it(
    cuts: list[int], tail: bytes
) -> None:
    stream = frame(b"first") + (11).to_bytes(4, "big") + tail + frame(b"never")
    reader = FrameReader(10)
    assert [payload for piece in pieces(stream, cuts) for payload in reader.feed(piece)] == [b"first"]
    assert reader.too_long == 11


def test_a_count_above_the_limit_is_refused_before_anything_is_kept() -> None:
    reader = FrameReader(10)
    reader.feed(b"<?xm" + bytes(100_000))
    assert reader.too_long == int.from_bytes(b"<?xm", "big")
    assert len(reader._kept) == 0


def test_it_says_how_much_is_missing() -> None:
    reader = FrameReader(10)
    assert not reader.partial
    reader.feed(b"\0\0")
    assert (reader.partial, reader.missing) == (True, 2)
    reader.feed(b"\0\x05ab")
    assert (reader.partial, reader.missing) == (True, 3)


@pytest.mark.parametrize("size", [9, 10])
def test_the_limit_itself_is_allowed(size: int) -> None:
    assert FrameReader(10).feed(frame(bytes(size))) == [bytes(size)]
