"""A port's certificate as it is in use, and how long it is still good."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime

import attrs
import structlog
import trio

from ._certificates import Certificate, read_certificate
from ._tls import ServerTLS

log = structlog.get_logger()

#: From how long before its end on a certificate is complained of, and how often, in seconds. The usual ones
#: last 90 days, and are renewed 30 days before their end.
_SOON, _AGAIN = 14 * 86400.0, 86400.0

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for: when it ends is looked at here.
_WHENEVER = 0x200000


@attrs.frozen(eq=False, repr=False)
class Facts:
    """What is told of a port's own certificate.

    Attributes:
        shown: who it says it is.
        ends: when it ends, in seconds since 1970, UTC.
    """

    shown: str
    ends: float


class Keeper:
    """Keeps what a port's handshakes need, and replaces it while the port is in use.

    Attributes:
        context: for the next handshake; None until it has been loaded.
        facts: of the certificate in it.
    """

    def __init__(self, context: ssl.SSLContext | None = None, facts: Facts | None = None) -> None:
        self.context = context
        self.facts = facts

    def load(self, tls: ServerTLS, *, demanding: bool) -> None:
        """Read the files; see `ServerTLS.context`.

        Raises:
            OSError: they cannot be read; what was there before stays.
        """
        context = tls.context(demanding=demanding)
        self.facts = look_at(tls)
        self.context = context

    async def watch(self, name: str) -> None:
        """Complain, until cancelled, of a certificate that has ended or ends soon.

        Args:
            name: the transport's table, for the log.
        """
        while True:
            if (facts := self.facts) is not None and (left := facts.ends - time.time()) < _SOON:
                told = "certificate ends soon: renew it, and send SIGHUP"
                if left < 0:
                    told = "certificate has ended, and clients refuse it: renew it, and send SIGHUP"
                ends = datetime.fromtimestamp(facts.ends, UTC)
                log.warning(told, transport=name, certificate=facts.shown, ends=f"{ends:%Y-%m-%dT%H:%M:%SZ}")
            await trio.sleep(_AGAIN)


def look_at(tls: ServerTLS) -> Facts | None:
    """Look at a port's own certificate, as a client does that trusts it.

    Python reads a certificate only in a handshake, so there is one, in memory.

    Returns:
        What is found; None where no client could come to terms with it.
    """
    server = tls.context(demanding=False)
    server.verify_mode = ssl.CERT_NONE
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _WHENEVER
    client.load_verify_locations(tls.certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    try:
        for end in (*ends, *ends):  # a flight of each, twice: then both are through (RFC 8446, section 2)
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
        found = read_certificate(ends[0])
        told = ends[0].getpeercert()
    except (ssl.SSLError, ValueError):
        return None
    if found is None or not told:
        return None
    return Facts(_shown(found), ssl.cert_time_to_seconds(str(told["notAfter"])))


def _shown(certificate: Certificate) -> str:
    names = [value for name, value in certificate.names if name == "DNS"]
    return ", ".join(names) or str(certificate)
