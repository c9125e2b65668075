from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voeflow_handlers._names import NAME_MAX, file_name, folder_name

DIGEST = hashlib.sha256(b"an element").digest()

#: What people and attackers write: paths, dots, controls, other scripts, very long.
ivorns = st.one_of(
    st.text(max_size=300),
    st.text("./\\~-_#? \0\n\x1b\u202eaZ0", max_size=40),
    st.text("abc/", min_size=200, max_size=400),
).map("ivo://".__add__) | st.text(max_size=50)
digests = st.binary(min_size=32, max_size=32)


@given(ivorns, digests)
def test_a_file_name_is_one_safe_component(ivorn: str, digest: bytes) -> None:
    name = file_name(ivorn, digest)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.[0-9a-f]{64}\.xml", name)
    assert len(name.encode()) <= NAME_MAX


@given(st.tuples(ivorns, digests), st.tuples(ivorns, digests))
def test_other_elements_have_other_names_whatever_the_case(
    one: tuple[str, bytes], other: tuple[str, bytes]
) -> None:
    if one[1] != other[1]:
        assert file_name(*one).lower() != file_name(*other).lower()
    else:
        assert file_name(*one).lower().endswith(one[1].hex() + ".xml")


@given(ivorns, digests, digests)
def test_the_same_ivorn_with_another_element_has_another_name(ivorn: str, one: bytes, other: bytes) -> None:
    assert (file_name(ivorn, one) == file_name(ivorn, other)) == (one == other)


@pytest.mark.parametrize(
    ("ivorn", "readable"),
    [
        ("ivo://obspm.gepi/svom#trigger-1", "obspm.gepi_svom_trigger-1"),
        ("IVO://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1-2", "nasa.gsfc.gcn_SWIFT_BAT_GRB_Pos_1-2"),
        ("ivo://../../etc/passwd", "etc_passwd"),
        ("ivo://-rf", "rf"),
        ("ivo://\u202e\u4e2d", "event"),
    ],
)
def test_the_name_begins_with_what_people_can_read(ivorn: str, readable: str) -> None:
    assert file_name(ivorn, DIGEST) == f"{readable}.{DIGEST.hex()}.xml"


def test_both_ends_of_a_long_ivorn_can_be_read() -> None:
    name = file_name("ivo://the.beginning/" + "x" * 1_000_000 + "#the_end", DIGEST)
    assert name.startswith("the.beginning_xx")
    assert "_the_end." in name
    assert len(name) < 143


@given(st.none() | ivorns)
def test_a_folder_name_is_one_safe_component(author: str | None) -> None:
    name = folder_name(author)
    assert re.fullmatch(r"[a-z0-9+][a-z0-9._+-]*", name)
    assert len(name) <= NAME_MAX


@given(ivorns, ivorns)
def test_two_authors_share_a_folder_only_if_they_differ_in_case_or_blanks(one: str, other: str) -> None:
    if folder_name(one) == folder_name(other):
        assert one.strip().lower() == other.strip().lower()


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("ivo://obspm.gepi/svom", "obspm.gepi_svom"),
        ("IVO://obspm.gepi/SVOM", "obspm.gepi_svom"),
        (None, "+unknown"),
        ("", "+unknown"),
    ],
)
def test_a_folder_name_can_be_read(author: str | None, name: str) -> None:
    assert folder_name(author) == name


def test_authors_that_read_alike_are_kept_apart() -> None:
    alike = {folder_name(f"ivo://a{mark}b") for mark in "/_#? "}
    assert len(alike) == 5
