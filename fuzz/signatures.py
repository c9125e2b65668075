"""OpenPGP signatures: found or not, and never good for an element that was not signed.

The corpus has packets signed in both ways by a key of which only the public half was kept, so whatever
verifies here is one of these elements, or a forgery.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import voeflow
from fuzz import corpus
from voeflow_filters._signature_blocks import MAX_SIGNATURES, blocks_of
from voeflow_filters.signed import Signed

KEYS = Path(__file__).parents[1] / "tests" / "support" / "keys"


def one(data: bytes) -> None:
    try:
        event = voeflow.Event.parse(data, max_bytes=2**16)
    except voeflow.EventError:
        return
    blocks = blocks_of(event)
    assert len(blocks) <= MAX_SIGNATURES
    assert all(len(block.packets) <= MAX_SIGNATURES for block in blocks)
    verdict = _filter().matches(event)
    assert verdict.reason.isprintable()
    if verdict.holds:
        assert _squeezed(event.element) in _signed(), verdict.reason


@functools.cache
def _filter() -> Signed:
    return Signed(KEYS, {"*": "4CB42AFBC5BDE04ECA3419C602DAC4A3FD579E29"})


@functools.cache
def _signed() -> frozenset[bytes]:
    """Give the elements that were signed; of clear-signed ones, line ends and blanks there may differ."""
    return frozenset(
        _squeezed(voeflow.Event.parse(path.read_bytes()).element)
        for path in corpus("signatures")
        if path.name.startswith("signed-")
    )


def _squeezed(element: bytes) -> bytes:
    ends = re.compile(rb"\r\n?|\n")  # all of them are a line feed to a reader of XML (1.0, section 2.11)
    lines = (line.rstrip(b" \t").removeprefix(b"- ") for line in ends.split(element))
    return b"\n".join(lines)
