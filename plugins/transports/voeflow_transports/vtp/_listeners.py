"""Sockets that listen."""

from __future__ import annotations

import errno
import functools
import os
import socket
import stat
from collections.abc import Iterable
from contextlib import suppress

import attrs
import trio

from ._addresses import LOOPBACK, Address
from ._connection import Connection, show_peer

#: How many connections may wait for us to accept them; the kernel's own bound (`net.core.somaxconn`) holds
#: too.
BACKLOG = 1024

#: How many connections are taken before other tasks may run: a millisecond's worth.
_AT_ONCE = 32

#: A machine without IPv6 has no `::1`.
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

#: What `accept` raises for a connection that failed while it waited: Linux hands on its error (accept(2)).
#: EPERM is a firewall's doing; not every system has ENONET.
_GONE = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "ENETDOWN", "EPROTO", "ENOPROTOOPT", "EHOSTDOWN", "ENONET", "EHOSTUNREACH"),
        *("EOPNOTSUPP", "ENETUNREACH", "EPERM"),
    )
    if hasattr(errno, name)
)


class _Listening(socket.socket):
    """A socket that remembers its family and its type.

    `accept` asks for both, and `socket.socket` looks each up in an enumeration every time: a third of what
    `accept` takes.
    """

    @functools.cached_property
    def family(self) -> socket.AddressFamily:
        return super().family

    @functools.cached_property
    def type(self) -> socket.SocketKind:
        return super().type


@attrs.frozen(eq=False, repr=False)
class Listener:
    """A socket that listens.

    Attributes:
        name: where, as bound: `127.0.0.1:8098`, `unix:/path`.
        port: the TCP port that it is bound to, or 0.
    """

    name: str
    port: int
    _socket: socket.socket = attrs.field(alias="sock")
    _path: str = attrs.field(default="", alias="path")

    def fileno(self) -> int:
        """Give the number of the socket's file, to wait for."""
        return self._socket.fileno()

    def accept(self) -> list[Connection]:
        """Take the connections that there are, some at a time.

        Raises:
            OSError: none can be taken now: too many open files, say.
        """
        taken: list[Connection] = []
        while len(taken) < _AT_ONCE:
            try:
                sock, peer = self._socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _GONE:
                    continue
                if taken:  # it shows again the next time
                    break
                raise
            if self._path:
                taken.append(Connection(sock, self.name, ""))
            else:
                taken.append(Connection(sock, show_peer(peer), peer[0]))
        return taken

    def close(self) -> None:
        """Stop listening, and take a Unix socket's file away."""
        self._socket.close()
        if self._path:
            with suppress(OSError):
                os.unlink(self._path)


async def open_listeners(addresses: Iterable[Address]) -> list[Listener]:
    """Listen on every address.

    Returns:
        At least one listener for each; a name may have several addresses.

    Raises:
        OSError: one cannot be listened on; the message names it. None is left open then.
    """
    opened: list[Listener] = []
    try:
        for address in addresses:
            try:
                opened += await _open(address)
            except OSError as error:
                raise OSError(error.errno, f"cannot listen on {address}: {_reason(error)}") from error
    except BaseException:
        for listener in opened:
            listener.close()
        raise
    return opened


async def _open(address: Address) -> list[Listener]:
    if address.path:
        return [await trio.to_thread.run_sync(_open_unix, address.path)]
    hosts = [address.host] if address.host else list(LOOPBACK)
    found: list[Listener] = []
    port = address.port
    try:
        for host in hosts:
            for family, kind, proto, _, place in await trio.socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            ):
                try:
                    found.append(_open_tcp(_Listening(family, kind, proto), place))
                except OSError as error:
                    if address.host or not found or error.errno not in _NO_SUCH_FAMILY:
                        raise
                port = port or found[0].port  # port 0: the second family gets the number of the first
    except BaseException:
        for listener in found:
            listener.close()
        raise
    return found


def _open_tcp(
    sock: socket.socket, place: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
) -> Listener:
    try:
        sock.setblocking(False)
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # or a restart fails while old ones time out
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is accepted has it from here
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # an address means its own family
        sock.bind(place)
        sock.listen(BACKLOG)
        bound = sock.getsockname()
    except BaseException:
        sock.close()
        raise
    return Listener(show_peer(bound), bound[1], sock)


def _open_unix(path: str) -> Listener:
    sock = _Listening(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _take_stale_away(path)
        sock.setblocking(False)
        sock.bind(path)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return Listener(f"unix:{path}", 0, sock, path)


def _take_stale_away(path: str) -> None:
    """Remove a socket's file that was left behind: one on which nobody answers, and nothing else."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of that name, and it is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError:  # someone is there and busy: the probe timed out or the backlog is full
            pass
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program has it; stop that, or listen on another port"
    if error.errno == errno.EACCES:
        return "no permission; a port below 1024 needs privileges"
    return error.strerror or str(error)
