"""Packets for the peers: valid in VOEvent 2.0, and each hard to carry unchanged in a way of its own."""

from __future__ import annotations

from pathlib import Path

from interop.stage import peers_packages
from support.samples import voevent

#: A signature as OpenPGP's armour, its hyphens set apart since a comment of XML may hold no two in a row.
SIGNATURE = """
<!-- - - BEGIN PGP SIGNATURE - -
iQEzBAABCAAdFiEE+/x5=0c7J
- - END PGP SIGNATURE - - -->
"""


def varied(stem: str) -> list[bytes]:
    """Give packets that a program which rewrites what it carries would change; IVORNs begin with `stem`."""
    plain = voevent(f"{stem}-plain")
    return [
        plain,
        voevent(f"{stem}-signed", tail=SIGNATURE),
        voevent(f"{stem}-bare", declaration="", tail=""),
        voevent(f"{stem}-instructed", declaration="<?xml version='1.0'?>\n<?show as='alert'?><!-- 1 -->\n"),
        voevent(f"{stem}-windows").replace(b"\n", b"\r\n"),
        voevent(f"{stem}-single").replace(b'unit="deg"', b"unit = 'deg'"),
        latin(voevent(f"{stem}-latin")),
        voevent(f"{stem}-utf16").decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        voevent(f"{stem}-large", tail="\n<!-- " + "0123456789abcde\n" * 4000 + " -->"),
    ]


def latin(packet: bytes) -> bytes:
    """Give a packet in ISO 8859-1, with a letter that UTF-8 writes otherwise."""
    text = packet.decode().replace("UTF-8", "ISO-8859-1").replace("SVOM", "Équipe SVOM")
    return text.encode("iso-8859-1")


def of_the_peers() -> list[Path]:
    """Give the files of the real packets that voevent-parse and PyGCN bring with them."""
    packages = peers_packages()
    found = [*packages.glob("voeventparse/fixtures/*.xml"), *packages.glob("gcn/tests/data/*.xml")]
    assert len(found) >= 8, f"expected the peers' own packets in {packages}, found {found}"
    return sorted(found)
