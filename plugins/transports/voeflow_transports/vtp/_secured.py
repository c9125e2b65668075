"""TLS on a non-blocking socket: what a `Connection` reads, sends and begins through OpenSSL."""

from __future__ import annotations

import errno
import socket
import ssl
from contextlib import suppress

import attrs
import trio

#: How much one record of TLS carries, in bytes (RFC 8446, section 5.1). OpenSSL, having found no room for a
#: record, wants the very same bytes again: so records are cut here, and are the same at the next try.
_RECORD = 2**14

#: The first byte of every record that begins a handshake (RFC 8446, section 5.1).
_HANDSHAKE = b"\x16"

#: The alert `protocol_version`, fatal, in a record of its own (RFC 8446, sections 5.1 and 6): to whoever
#: speaks without TLS. Its first four bytes are what a `FrameReader` takes for the count of a frame.
_ALERT = bytes((0x15, 3, 3, 0, 2, 2, 70))

_WAIT = (ssl.SSLWantReadError, ssl.SSLWantWriteError)

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


#: What a peer did that ended the connection in the handshake, by whether this end is the server.
_GONE = {
    False: "closed the connection in the TLS handshake: does that port speak TLS, and is this address "
    "allowed there?",
    True: "closed the connection in the TLS handshake: it may not take this port's certificate",
}


@attrs.frozen
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


async def shake_hands(sock: ssl.SSLSocket) -> None:
    """Begin TLS, in as long as the caller allows.

    Raises:
        OSError: it cannot be, or the peer is not who it should be; the message is in words about it.
    """
    await trio.lowlevel.checkpoint()
    while True:
        try:
            sock.do_handshake()
            return
        except ssl.SSLWantReadError:
            await trio.lowlevel.wait_readable(sock)
        except ssl.SSLWantWriteError:
            await trio.lowlevel.wait_writable(sock)
        except (ssl.SSLEOFError, ConnectionError) as error:
            raise OSError(errno.ECONNRESET, _GONE[sock.server_side]) from error
        except ssl.SSLError as error:
            raise OSError(errno.EPROTO, explain(error)) from error


def receive(sock: ssl.SSLSocket, most: int) -> tuple[bytes | None, bool]:
    """Take what there is, up to `most` bytes and the end of a record.

    OpenSSL takes a record whole, so what it holds of one is taken too: nothing shows from outside that there
    is more to read.

    Returns:
        The bytes; none at the end of the peer's stream; None where there are none yet. And whether that was
        all there was.

    Raises:
        OSError: the connection has failed.
    """
    pieces: list[bytes] = []
    size, drained = 0, False
    try:
        while size < most or sock.pending():
            piece = sock.recv(max(most - size, sock.pending()))
            if not piece:
                return b"".join(pieces), False  # if there are any then the end shows again the next time
            pieces.append(piece)
            size += len(piece)
    except _WAIT:
        drained = True
    except ssl.SSLError as error:
        if not pieces:  # else it fails again the next time
            raise OSError(errno.EPROTO, explain(error)) from error
    return (b"".join(pieces) if pieces else None), drained


def send(sock: ssl.SSLSocket, data: bytes | memoryview) -> int:
    """Send what can be sent now; of what is left, the same bytes have to be sent first the next time.

    Returns:
        How many bytes were taken.

    Raises:
        OSError: the connection has failed.
    """
    view, sent = memoryview(data), 0
    try:
        while sent < len(view):
            sent += sock.send(view[sent : sent + _RECORD])
    except _WAIT:
        pass
    except ssl.SSLError as error:
        raise OSError(errno.EPROTO, explain(error)) from error
    return sent


def end(sock: ssl.SSLSocket) -> None:
    """Tell the peer that nothing follows, as far as that goes without waiting (RFC 8446, section 6.1)."""
    with suppress(OSError, ValueError):
        sock.unwrap()


def explain(error: ssl.SSLError) -> str:
    """Say what OpenSSL found, in words about the peer and without its own names for it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not taken: {error.verify_message.rstrip('.')}"
    reason = error.reason or ""
    return _REASONS.get(reason) or f"TLS failed: {reason.replace('_', ' ').lower() or 'no reason given'}"
