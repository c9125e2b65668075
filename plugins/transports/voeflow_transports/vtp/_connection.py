"""A connection: a plain non-blocking socket, waited for with trio.

A broker has a connection for every event of an author and thousands for its subscribers. This does the two
things that a stream of trio's does not: it sends at once what the kernel takes, without a task, and keeps the
rest. What ends in `_nowait` can also be used without trio's waiting, once `fileno()` is ready: see `_poller`.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections import deque
from collections.abc import Callable

import trio

from ._certificates import Certificate
from ._secured import Secured, Tunnel

#: How much is read at once, in bytes. An author that sends many events is served a piece at a time, and
#: each piece is one commit to the store.
READ_SIZE = 2**18

#: How much a peer may still send, in bytes, that is thrown away while the connection closes.
_DISCARDED = 2**20


class Connection:
    """One connection.

    What was sent and not taken by the kernel waits in `unsent`; it keeps the bytes that it was given,
    uncopied, so a thousand connections that are sent one buffer hold it once.

    Attributes:
        peer: the peer's address, for the log: `192.0.2.1:40123`, `[2001:db8::1]:40123`, `unix:/path`.
        host: the peer's numeric address, or empty on a Unix socket.
        unsent: how many bytes wait, of those sent.
        closed: whether this end has closed it.
        certificate: what the peer has shown in TLS, if it has, and was found to be trusted.
        on_close: is called when this end closes it, before it does.
    """

    on_close: Callable[[], None] | None = None

    def __init__(self, sock: socket.socket, peer: str, host: str) -> None:
        sock.setblocking(False)
        self.peer = peer
        self.host = host
        self.unsent = 0
        self.closed = False
        self.certificate: Certificate | None = None
        self._socket = sock
        self._tls: Tunnel | None = None  # once TLS has begun
        self._waiting: deque[memoryview] = deque()
        self._awaited = False  # whether a task has ever waited for it, and may do so now
        self._drained = False  # the last read took all that there was, so the next one has to wait

    async def meet_client(self, context: ssl.SSLContext) -> None:
        """Begin TLS as the server. Before it ends, nothing may be sent or received.

        Raises:
            OSError: it cannot be; the message is in words about the client.
            trio.ClosedResourceError: this end closed it meanwhile.
        """
        self._awaited = True
        tunnel = Tunnel(self._socket)
        await tunnel.meet_client(context)
        self._tls, self.certificate = tunnel, tunnel.certificate

    async def meet_server(self, secured: Secured) -> None:
        """Begin TLS as the client. Before it ends, nothing may be sent or received.

        Raises:
            OSError: it cannot be, or the server is not who it should be; the message is in words about it.
            trio.ClosedResourceError: this end closed it meanwhile.
        """
        self._awaited = True
        tunnel = Tunnel(self._socket)
        await tunnel.meet_server(secured)
        self._tls = tunnel

    async def receive(self, most: int = READ_SIZE) -> bytes:
        """Wait for bytes from the peer, and take at most `most` of them; in TLS some more.

        Returns:
            The bytes; none at the end of the peer's stream.

        Raises:
            OSError: the connection has failed.
            trio.ClosedResourceError: this end closed it meanwhile.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.closed:
            raise trio.ClosedResourceError
        if not self._drained and (data := self.receive_nowait(most)) is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data
        while True:
            self._awaited = True
            await trio.lowlevel.wait_readable(self._socket)
            if (data := self.receive_nowait(most)) is not None:  # else it was woken for nothing
                return data

    def fileno(self) -> int:
        """Give the number of the socket's file, to wait for; -1 once it is closed."""
        return self._socket.fileno()

    def receive_nowait(self, most: int = READ_SIZE) -> bytes | None:
        """Take at most `most` of the bytes that there are.

        Returns:
            The bytes; none at the end of the peer's stream; None where there is nothing to take yet.

        Raises:
            OSError: the connection has failed, or this end has closed it.
        """
        if self._tls is not None:
            found, self._drained = self._tls.receive(most)
            return found
        try:
            data = self._socket.recv(most)
        except BlockingIOError:
            return None
        self._drained = len(data) < most
        return data

    def send_nowait(self, data: bytes) -> None:
        """Send what the kernel takes now, after what waits already, and keep the rest; see `flush`.

        Raises:
            OSError: the connection has failed.
            trio.ClosedResourceError: this end has closed it.
        """
        if self.closed:
            raise trio.ClosedResourceError
        taken = self._send(data) if data and not self._waiting else 0
        if taken < len(data):
            self._waiting.append(memoryview(data)[taken:])
            self.unsent += len(data) - taken

    def flush_nowait(self) -> None:
        """Send what the kernel takes now of what waits.

        Raises:
            OSError: the connection has failed.
        """
        while self._waiting and (taken := self._send(self._waiting[0])):
            self.unsent -= taken
            if taken < len(self._waiting[0]):
                self._waiting[0] = self._waiting[0][taken:]
            else:
                self._waiting.popleft()

    async def flush(self) -> None:
        """Wait until nothing is unsent, sending it. One task at a time may do so.

        Raises:
            OSError: the connection has failed.
            trio.ClosedResourceError: this end closed it meanwhile.
        """
        await trio.lowlevel.checkpoint()
        while self._waiting:
            self._awaited = True
            await trio.lowlevel.wait_writable(self._socket)
            self.flush_nowait()

    async def finish(self, patience: float) -> None:
        """Send what waits, end our stream, wait for the peer to end its own, and close.

        A close while bytes of the peer's are unread makes the kernel reset the connection, and the peer may
        then lose a receipt that it has not read yet.

        Args:
            patience: how long this may take, in seconds.
        """
        try:
            with trio.move_on_after(patience):
                await self.flush()
                self._end_tls()
                self._socket.shutdown(socket.SHUT_WR)  # in TLS, what comes then is not even deciphered
                discarded = 0
                while discarded < _DISCARDED and (data := await self.receive()):
                    discarded += len(data)
        except (OSError, trio.ClosedResourceError):
            pass  # it is closed for us
        finally:
            self.close()

    def close(self) -> None:
        """Close at once; whoever waits on it gets `trio.ClosedResourceError`. Twice is harmless."""
        if not self.closed:
            self.closed = True
            if self.on_close is not None:
                self.on_close()
                self.on_close = None  # whoever it is called for mostly has this connection in turn
            self._end_tls()
            if self._awaited:  # else it costs two system calls for nothing
                trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
            self._waiting.clear()
            self.unsent = 0

    async def aclose(self) -> None:
        """Close at once, and let other tasks run."""
        self.close()
        await trio.lowlevel.checkpoint()

    def _end_tls(self) -> None:
        if self._tls is not None and not self._waiting:
            self._tls.end()
        self._tls = None

    def _send(self, data: bytes | memoryview) -> int:
        if self._tls is not None:
            return self._tls.send(data)
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0


async def connect(host: str, port: int, path: str, secured: Secured | None = None) -> Connection:
    """Connect to a TCP port, trying every address of the host's, or to a Unix socket.

    Args:
        host: a name or a numeric address.
        port: the port.
        path: the Unix socket's file, or empty for TCP.
        secured: how to begin TLS, or None to speak without.

    Raises:
        OSError: nobody answered, or TLS cannot begin; the message says why.
    """
    connection = await _connect(host, port, path)
    if secured is not None:
        try:
            await connection.meet_server(secured)
        except BaseException:
            connection.close()
            raise
    return connection


async def _connect(host: str, port: int, path: str) -> Connection:
    if path:
        stream = await trio.open_unix_socket(path)
        return Connection(socket.socket(fileno=stream.socket.detach()), f"unix:{path}", "")
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as error:
        raise OSError(error.errno, _reason(error)) from error
    sock = socket.socket(fileno=stream.socket.detach())
    try:
        peer = sock.getpeername()
        return Connection(sock, show_peer(peer), peer[0])
    except OSError:
        sock.close()
        raise


def show_peer(name: tuple[str, int, int, int] | tuple[str, int]) -> str:
    """Give a peer's numeric address and port as one would write it."""
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def reason_of(error: OSError) -> str:
    """Say why a connection could not be made, of what `connect` raised or what was needed for it."""
    return error.strerror or str(error)


def _reason(error: OSError) -> str:
    """Say why a connection could not be made: the reason for the first address where there were several."""
    cause: BaseException = error.__cause__ or error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)  # trio puts the address before it, which the caller tells better
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
