"""Who may connect, by network (VTP 2.0, section 9.1) and by certificate."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

import attrs

from ._addresses import Address, numeric
from ._certificates import Certificate, Pattern, read_pattern

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CERTIFICATE = "cert:"


@attrs.frozen(eq=False, repr=False)
class Entry:
    """One entry: a network, or certificates, or both, which then must both fit.

    Attributes:
        network: where from, or None for anywhere.
        pattern: with what certificate, or None for any and none.
    """

    network: _Network | None = None
    pattern: Pattern | None = None

    def fits(self, host: str, certificate: Certificate | None) -> bool:
        """Whether a peer at a numeric address, with its certificate, is meant."""
        return self.is_from(host) and (
            self.pattern is None or (certificate is not None and self.pattern.fits(certificate))
        )

    def is_from(self, host: str) -> bool:
        """Whether it may mean somebody at this address."""
        if self.network is None:
            return True
        if not host:
            return False
        return numeric(host) in self.network


_LOOPBACK = (Entry(ipaddress.ip_network("127.0.0.0/8")), Entry(ipaddress.ip_network("::1")))


@attrs.frozen(eq=False, repr=False)
class Allow:
    """Who may connect: whom any one of the entries means.

    Attributes:
        entries: none means the loopback alone.
    """

    entries: tuple[Entry, ...] = ()

    def admits(self, host: str, certificate: Certificate | None = None) -> bool:
        """Whether a peer may connect; an empty address, on a Unix socket, always may.

        Who may open a Unix socket is said by its file's permissions.
        """
        return not host or any(each.fits(host, certificate) for each in self.entries or _LOOPBACK)

    def may_admit(self, host: str) -> bool:
        """Whether somebody at this address may connect, if with the right certificate."""
        return not host or any(each.is_from(host) for each in self.entries or _LOOPBACK)

    @property
    def wants_certificates(self) -> bool:
        """Whether any entry names certificates."""
        return any(each.pattern is not None for each in self.entries)

    @property
    def takes_none_without(self) -> bool:
        """Whether nobody is admitted without a certificate."""
        return bool(self.entries) and all(each.pattern is not None for each in self.entries)


def read_allow(entries: Sequence[str]) -> Allow:
    """Read entries: `145.238.0.0/16`, `2001:db8::1`, `cert:CN=svom`, `145.238.0.0/16 cert:CN=svom`.

    Raises:
        ValueError: one of them is none; the message says which and why.
    """
    return Allow(tuple(map(_read_entry, entries)))


def _read_entry(text: str) -> Entry:
    network, _, rest = text.strip().partition(" ")
    certificate = rest.strip()
    if network.startswith(_CERTIFICATE):
        network, certificate = "", text.strip()
    if certificate and not certificate.startswith(_CERTIFICATE):
        raise ValueError(f'expected a network, a certificate such as "cert:CN=NAME", or both, got {text!r}')
    pattern = read_pattern(certificate.removeprefix(_CERTIFICATE)) if certificate else None
    if not network and pattern is not None:
        return Entry(None, pattern)
    try:
        return Entry(ipaddress.ip_network(network), pattern)
    except ValueError as error:
        raise ValueError(
            f'expected a network such as "145.238.0.0/16" or "2001:db8::/32", an address, or a certificate '
            f'such as "cert:CN=NAME", got {text!r}: {error}'
        ) from None


def check_open(listen: Iterable[Address], allow: Allow) -> None:
    """Refuse to listen for other machines without a word on which of them are welcome.

    Raises:
        ValueError: they listen further than the loopback, and `allow` names nobody.
    """
    if allow.entries:
        return
    if further := _names([address for address in listen if not address.local]):
        raise ValueError(
            f"is missing, and {further} is open to other machines: name those that may connect, as in "
            'allow = ["127.0.0.0/8", "145.238.0.0/16"], or everybody with allow = ["0.0.0.0/0", "::/0"]'
        )


def _names(addresses: Sequence[Address]) -> str:
    return ", ".join(map(str, addresses))
