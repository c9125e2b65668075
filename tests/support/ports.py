"""Ports of this machine that have to be known before anything listens on them."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

#: The least number that is given, and where the kernel's own begin if it does not tell.
_FIRST, _KERNELS = 10_000, 32_768

#: How far apart two processes begin whose ids follow one another, as those of tests at one time do.
_APART = 211

_turn = itertools.count(os.getpid() * _APART)


def free_port() -> int:
    """Give a port that nothing listens on now, and that nobody else is given by chance.

    It is for a program that cannot say which port it was given, for one that comes back to where it was, and
    for a place where nobody is to be. None of them may be of the kernel's own numbers: it gives those to all
    who ask for any port and to all who connect, also while this one is not taken yet or for a moment not any
    more; and who tries such a port again and again may come to be connected with itself.
    """
    ports = range(_FIRST, _end())
    for _ in ports:
        port = ports[next(_turn) % len(ports)]
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        return port
    raise OSError(f"every port of {ports} is taken")


def _end() -> int:
    """Give where the kernel's own numbers begin; where that leaves few others, those count as well."""
    try:
        begin = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except OSError:  # it is another system
        begin = _KERNELS
    return begin if begin > _FIRST + 1000 else 65_536
