"""What the two ports that listen have in common: who may come in, how, and how many."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import attrs

import voeflow

from ._addresses import AUTHORS_PORT, Address
from ._allow import Allow, check_open, read_allow
from ._keeper import Keeper
from ._options import above_zero, at_least, read_listens
from ._tls import ServerTLS

#: Told where a key names certificates and none can be known for genuine.
NO_CLIENT_CA = (
    "names certificates, and nothing says which are genuine: give the authority that signs them, as in"
    ' tls = { certificate = "...", key = "...", client_ca = "..." }'
)


def listen_first(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Put what a class itself has before what it has of `Port`, as a field transformer of attrs."""
    return sorted(fields, key=lambda each: each.name != "listen")


#: What is told of the option that says where to listen.
LISTEN = MappingProxyType(
    {
        "one_or_many": True,
        "help": "HOST:PORT, [IPv6]:PORT or unix:/path; a port alone is open to this machine only",
    }
)

#: What is told of the option that says how many may be connected.
MOST = MappingProxyType({"help": "how many may be connected; above it the address with the most gives way"})


@attrs.frozen
class Port:
    """The options of a port that listens."""

    listen: tuple[Address, ...] = attrs.field(
        default=(str(AUTHORS_PORT),), converter=read_listens, metadata=LISTEN
    )
    allow: tuple[str, ...] = attrs.field(
        default=(),
        metadata={
            "one_or_many": True,
            "help": "who may connect: networks, certificates (cert:CN=NAME, cert:sha256:AB:CD..., or cert:*"
            " for any), or both with a blank between; any one is enough; this machine alone if left out",
        },
    )

    @allow.validator
    def _check_allow(self, _: attrs.Attribute[tuple[str, ...]], entries: tuple[str, ...]) -> None:
        allow = read_allow(entries)
        check_open(self.listen, allow)
        if allow.wants_certificates and (self.tls is None or self.tls.client_ca is None):
            raise ValueError(NO_CLIENT_CA)

    tls: ServerTLS | None = attrs.field(
        default=None, metadata={"help": "speak TLS here; without it, everything goes in the clear"}
    )

    @tls.validator
    def _check_tls(self, _: attrs.Attribute[ServerTLS | None], tls: ServerTLS | None) -> None:
        if tls is not None and tls.client_ca is not None and not self.wants_certificates:
            raise ValueError(
                "client_ca is given, but nothing hangs on a certificate: let `allow` ask for one, as in"
                ' allow = ["145.238.0.0/16 cert:*"], or leave client_ca out'
            )

    max_connections: int = attrs.field(default=1000, validator=at_least(1), metadata=MOST)
    max_per_address: int = attrs.field(
        default=200,
        validator=at_least(1),
        metadata={
            "help": "how many connections one address, or IPv6 /64, may have; this machine is not counted"
        },
    )
    connection_rate: float = attrs.field(
        default=20.0,
        validator=at_least(0),
        metadata={
            "help": "how many new connections a second one address may make in the long run; more have to"
            " wait; 0 for no limit"
        },
    )
    connection_burst: int = attrs.field(
        default=200,
        validator=at_least(1),
        metadata={"help": "how many it may make at once before that"},
    )
    handshake_timeout: voeflow.Seconds = attrs.field(
        default=voeflow.Seconds(10.0),
        validator=above_zero,
        metadata={"help": "how long a client may take to begin TLS"},
    )
    certificates: Keeper = attrs.field(factory=Keeper, init=False, repr=False, eq=False)

    @property
    def admitted(self) -> Allow:
        """Who may connect."""
        return read_allow(self.allow)

    @property
    def wants_certificates(self) -> bool:
        """Whether anything hangs on a client's certificate."""
        return self.admitted.wants_certificates

    def reload(self) -> None:
        """Read the certificates again: connections to come have them, those that there are go on.

        Raises:
            OSError: they cannot be read; those of before are still used.
        """
        if self.tls is not None:
            self.certificates.load(self.tls, demanding=self.admitted.takes_none_without)
