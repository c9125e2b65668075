from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from voeflow._packet_names import packet_name


def test_a_name_shows_what_is_readable_of_the_ivorn() -> None:
    assert packet_name("ivo://obspm.gepi/svom#trigger-1", bytes(32)) == (
        "obspm.gepi_svom_trigger-1." + "00" * 32 + ".xml"
    )


@given(st.text(), st.binary(min_size=32, max_size=32))
@example("ivo://../../etc/passwd#x", bytes(32))
@example("/", bytes(32))
@example("ivo://a.bc/d#" + "x" * 5000, bytes(32))
@example("..", bytes(32))
def test_no_ivorn_makes_more_than_a_plain_name(ivorn: str, digest: bytes) -> None:
    name = packet_name(ivorn, digest)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
    assert len(name) <= 139
    assert name.endswith(f".{digest.hex()}.xml")
