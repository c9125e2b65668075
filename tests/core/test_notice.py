"""Notices and attachments as values."""

from __future__ import annotations

import hashlib

import pytest

from voeflow import Attachment, EventError, Mapped, Notice


def test_a_notice_is_read_once() -> None:
    notice = Notice(b'{"a": 1}')
    assert notice.json == {"a": 1}
    assert notice.json is notice.json
    assert notice.digest == hashlib.sha256(b'{"a": 1}').digest()


def test_a_notice_that_is_no_json_says_so_each_time() -> None:
    notice = Notice(b"nothing")
    for _ in range(2):
        with pytest.raises(EventError, match="no JSON"):
            _ = notice.json


def test_the_headers_of_a_notice_cannot_be_changed_behind_its_back() -> None:
    headers = {"a": b"1"}
    notice = Notice(b"", headers=headers)
    headers["a"] = b"2"
    assert notice.headers == {"a": b"1"}
    with pytest.raises(TypeError):
        notice.headers["a"] = b"2"  # type: ignore[index]  # which is what is tried


@pytest.mark.parametrize("name", ["notice.json", "skymap.multiorder.fits", "a", "A-1_2+3.x", "x" * 100])
def test_a_safe_name_is_taken(name: str) -> None:
    assert Attachment(name, "application/fits", b"").name == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "a\\b", "-rf", "a b", "a\n", "é", "x" * 101, "a\0", "C:x", "a;b"],
)
def test_a_name_that_could_mean_something_else_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="expected the name of a file"):
        Attachment(name, "application/fits", b"")


@pytest.mark.parametrize("media_type", ["", "json", "a/b\nc: d", "text/plain; charset=\n", "é/x", "a/b/c"])
def test_a_media_type_is_one(media_type: str) -> None:
    with pytest.raises(ValueError, match="expected a media type"):
        Attachment("a", media_type, b"")
    assert Attachment("a", "text/plain; charset=utf-8", b"").media_type == "text/plain; charset=utf-8"


def test_what_a_mapping_makes_is_bytes_and_attachments() -> None:
    assert Mapped(b"", [Attachment("a", "text/plain", b"")]).attachments == (
        Attachment("a", "text/plain", b""),
    )
    with pytest.raises(TypeError):
        Mapped("packet")  # type: ignore[arg-type]  # which is what is tried
    with pytest.raises(TypeError):
        Mapped(b"", ["a"])  # type: ignore[list-item]  # which is what is tried
