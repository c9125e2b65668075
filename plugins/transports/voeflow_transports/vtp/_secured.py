"""TLS on a non-blocking socket: what a `Connection` reads, sends and begins through OpenSSL."""

from __future__ import annotations

import errno
import socket
import ssl
from contextlib import suppress

import attrs
import trio

from ._certificates import Certificate, read_certificate

#: How much one record of TLS carries, in bytes (RFC 8446, section 5.1).
_RECORD = 2**14

#: One record with what TLS adds to it (section 5.2): to take less would be to wait for the rest.
_WHOLE_RECORD = _RECORD + 5 + 256

#: How much is taken from the kernel in one turn, in bytes. A peer can send what costs much and brings
#: nothing, a change of keys every 27 bytes (RFC 8446, section 4.6.3): of those a turn has some 2400, and then
#: others are served.
_TURN = 2**16

#: The first byte of every record that begins a handshake (RFC 8446, section 5.1).
_HANDSHAKE = b"\x16"

#: The alert `protocol_version`, fatal, in a record of its own (RFC 8446, sections 5.1 and 6): to whoever
#: speaks without TLS. Its first four bytes are what a `FrameReader` takes for the count of a frame.
_ALERT = bytes((0x15, 3, 3, 0, 2, 2, 70))

#: What OpenSSL's reasons mean to whoever has to mend them, in words about the peer.
_REASONS = {
    "WRONG_VERSION_NUMBER": "speaks without TLS: set tls at both ends or at neither",
    "HTTP_REQUEST": "speaks HTTP",
    "UNSUPPORTED_PROTOCOL": "offers no version of TLS from 1.2 on",
    "TLSV1_ALERT_PROTOCOL_VERSION": "has no version of TLS in common with this end (1.2 and 1.3)",
    "NO_SHARED_CIPHER": "has no cipher in common with this end",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "finds nothing in common with this end, or misses a certificate",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "shows no certificate, and one is asked for",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "asks for a certificate, and this end has shown none",
    "TLSV1_ALERT_UNKNOWN_CA": "does not trust who signed this end's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "does not take this end's certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "does not take this end's certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "does not take a certificate of this kind from this end",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "says that this end's certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "says that this end's certificate is revoked",
    "TLSV1_ALERT_ACCESS_DENIED": "does not admit this end's certificate",
}


#: How a peer ended the connection in the handshake, by whether this end is the server.
_GONE = {
    False: "closed the connection in the TLS handshake: does that port speak TLS, and is this address "
    "allowed there?",
    True: "closed the connection in the TLS handshake: it may not take this port's certificate",
}


@attrs.frozen(eq=False)
class Secured:
    """How the server at the other end of a connection is spoken to in TLS.

    Attributes:
        context: what is trusted, and what is shown.
        name: the name that the server's certificate must have.
    """

    context: ssl.SSLContext = attrs.field(repr=False)
    name: str


async def expect_handshake(sock: socket.socket) -> None:
    """Wait, as the server, until the client begins TLS, in as long as the caller allows.

    Raises:
        OSError: it begins something else, or has gone; the message is in words about it.
    """
    await trio.lowlevel.checkpoint()
    while True:
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock)
            continue
        if first == _HANDSHAKE:
            return
        if not first:
            raise OSError(errno.ECONNRESET, "closed the connection before a TLS handshake")
        with suppress(OSError):
            sock.send(_ALERT)
        raise OSError(errno.EPROTO, "speaks without TLS, and this port takes nothing else")


@attrs.define(eq=False, repr=False)
class Tunnel:
    """TLS through a socket, which stays as it is: what goes through it passes OpenSSL in memory.

    Attributes:
        sock: non-blocking.
        certificate: what the peer has shown, if it has; known once hands were shaken.
    """

    sock: socket.socket
    certificate: Certificate | None = attrs.field(default=None, init=False)
    _incoming: ssl.MemoryBIO = attrs.field(factory=ssl.MemoryBIO, init=False)
    _outgoing: ssl.MemoryBIO = attrs.field(factory=ssl.MemoryBIO, init=False)
    _ssl: ssl.SSLObject = attrs.field(init=False)
    _server_side: bool = attrs.field(default=False, init=False)
    _owed: memoryview = attrs.field(
        default=memoryview(b""), init=False
    )  # ciphertext the kernel has not taken
    _sealed: int = attrs.field(default=0, init=False)  # how many bytes of the caller's are in it
    _over: bool = attrs.field(default=False, init=False)  # the peer has ended its stream

    async def meet_client(self, context: ssl.SSLContext) -> None:
        """Begin TLS as the server, in as long as the caller allows.

        Raises:
            OSError: it cannot be; the message is in words about the client.
        """
        await expect_handshake(self.sock)
        self._server_side = True
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        await self._shake_hands()
        self.certificate = read_certificate(self._ssl)

    async def meet_server(self, secured: Secured) -> None:
        """Begin TLS as the client, in as long as the caller allows.

        Raises:
            OSError: it cannot be, or the server is not who it should be; the message is in words about it.
        """
        self._ssl = secured.context.wrap_bio(self._incoming, self._outgoing, server_hostname=secured.name)
        await self._shake_hands()

    async def _shake_hands(self) -> None:
        await trio.lowlevel.checkpoint()
        try:
            while not self._shaken():
                await self._flush_all()
                await trio.lowlevel.wait_readable(self.sock)
                self._fill(_TURN)
            await self._flush_all()
        except ConnectionError as error:
            raise OSError(errno.ECONNRESET, _GONE[self._server_side]) from error

    def _shaken(self) -> bool:
        """Go on with the handshake; whether it is through."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise ConnectionResetError from error
        except ssl.SSLError as error:
            with suppress(OSError):
                self._flush()  # the alert that says why
            raise OSError(errno.EPROTO, explain(error)) from error
        return True

    def receive(self, most: int) -> tuple[bytes | None, bool]:
        """Take what there is, about `most` bytes of it.

        What was taken from the kernel is given out as far as it can be: nothing shows from outside that there
        is more to read.

        Returns:
            The bytes; none at the end of the peer's stream; None where there are none yet. And whether that
            was all there was.

        Raises:
            OSError: the connection has failed.
        """
        if self._over:
            return b"", False
        drained = not self._fill(min(max(most, _WHOLE_RECORD), _TURN))
        pieces: list[bytes] = []
        try:
            while piece := self._ssl.read(_TURN):
                pieces.append(piece)
            self._over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:  # it has ended without saying so, which a frame that is cut short shows
            self._over = True
        except ssl.SSLError as error:
            raise OSError(errno.EPROTO, explain(error)) from error
        self._flush()
        data = b"".join(pieces)
        return (data if data or self._over else None), drained and not self._over

    def send(self, data: bytes | memoryview) -> int:
        """Send what can be sent now; of what is left, the same bytes have to be sent first the next time.

        Returns:
            How many bytes were taken.

        Raises:
            OSError: the connection has failed.
        """
        view, sent = memoryview(data), 0
        try:
            while self._flush():
                sent, self._sealed = sent + self._sealed, 0
                if sent == len(view):
                    break
                self._sealed = self._ssl.write(view[sent : sent + _RECORD])
        except ssl.SSLError as error:
            raise OSError(errno.EPROTO, explain(error)) from error
        return sent

    def end(self) -> None:
        """Say that nothing follows, as far as that goes without waiting (RFC 8446, section 6.1)."""
        with suppress(OSError, ValueError):
            try:
                self._ssl.unwrap()
            finally:
                self._flush()

    def _fill(self, most: int) -> bool:
        """Take ciphertext from the kernel; whether there may be more."""
        try:
            data = self.sock.recv(most)
        except BlockingIOError:
            return False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return len(data) == most

    def _flush(self) -> bool:
        """Hand ciphertext to the kernel; whether it has taken all that there is."""
        while True:
            if not self._owed:
                if not self._outgoing.pending:
                    return True
                self._owed = memoryview(self._outgoing.read())
            try:
                self._owed = self._owed[self.sock.send(self._owed) :]
            except BlockingIOError:
                return False

    async def _flush_all(self) -> None:
        while not self._flush():
            await trio.lowlevel.wait_writable(self.sock)


def explain(error: ssl.SSLError) -> str:
    """Say what OpenSSL found, in words about the peer and without its own names for it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not taken: {error.verify_message.rstrip('.')}"
    reason = error.reason or ""
    return _REASONS.get(reason) or f"TLS failed: {reason.replace('_', ' ').lower() or 'no reason given'}"
