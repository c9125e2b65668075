"""Addresses as a pipeline or a command line gives them: `HOST:PORT`, `[v6]:PORT`, `PORT`, `unix:/path`."""

from __future__ import annotations

import functools
import ipaddress
import os
from contextlib import suppress

import attrs

#: The ports that VTP's brokers use, after Comet: authors submit to the first, subscribers listen on the
#: second.
AUTHORS_PORT, SUBSCRIBERS_PORT = 8098, 8099

#: Where an address without a host listens: this machine alone, in both families.
LOOPBACK = ("127.0.0.1", "::1")

_UNIX = "unix:"


@attrs.frozen
class Address:
    """Where to listen or to connect.

    Attributes:
        host: a name or a numeric address; empty for the loopback, in both families, and for a Unix socket.
        port: the TCP port; 0 lets the system choose one to listen on.
        path: the Unix socket's file, or empty for TCP.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return _UNIX + self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host or 'localhost'}:{self.port}"

    @property
    def name(self) -> str:
        """What the certificate of whoever listens there is to be for."""
        return self.host or "localhost"

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it, as far as can be told without asking a name server."""
        if self.path or self.host in ("", "localhost"):
            return True
        with suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False


def read_listen(text: str) -> Address:
    """Read an address to listen on; without a host, it is the loopback's.

    Raises:
        ValueError: it is none; the message says what was expected.
    """
    address = _read(text, None, least=0)
    if address is None:
        raise ValueError(
            "expected an address to listen on, HOST:PORT, [IPv6]:PORT, PORT alone for this machine only, "
            f"or unix:/path, got {text!r}{_beyond(text)}"
        )
    return address


def read_remote(text: str, default_port: int) -> Address:
    """Read an address to connect to; the port may be left out.

    Raises:
        ValueError: it is none; the message says what was expected.
    """
    address = _read(text, default_port, least=1)
    if address is None:
        raise ValueError(
            "expected an address to connect to, HOST[:PORT], [IPv6][:PORT] or unix:/path, "
            f"got {text!r}{_beyond(text)}"
        )
    return address


def _read(text: str, default_port: int | None, least: int) -> Address | None:
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        return Address(path=path) if os.path.isabs(path) and "\0" not in path else None
    if default_port is None and text.isascii() and text.isdecimal():
        host, port_text = "", text
    elif text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not _is_ipv6(host) or (rest and not rest.startswith(":")):
            return None
        port_text = rest[1:] if rest else ""
        if rest == ":":
            return None
    elif text.count(":") > 1:  # an IPv6 address without brackets: where its port begins is anyone's guess
        if default_port is None or not _is_ipv6(text):
            return None
        host, port_text = text, ""
    else:
        host, colon, port_text = text.partition(":")
        if colon and not port_text:
            return None
    if not port_text:
        port = default_port
    elif port_text.isascii() and port_text.isdecimal() and len(port_text) <= 5:
        port = int(port_text)
    else:
        return None
    if port is None or not least <= port <= 65535 or (not host and default_port is not None):
        return None
    if any(character.isspace() or not character.isprintable() for character in host):
        return None
    return Address(host, port)


def _beyond(text: str) -> str:
    """Say so where an address is none for its port's sake."""
    port = text.rpartition(":")[2].lstrip("0")
    too_large = len(port) > 5 or (len(port) == 5 and port > "65535")
    return ": ports end at 65535" if port.isascii() and port.isdecimal() and too_large else ""


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read a peer's numeric address; an IPv4 address that was mapped into IPv6 is that IPv4 address.

    Kept, since authors come with a connection for every event.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
