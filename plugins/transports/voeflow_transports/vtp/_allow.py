"""Who may connect, by network (VTP 2.0, section 9.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

import attrs

from ._addresses import Address

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))


@attrs.frozen
class Allow:
    """The networks that may connect.

    Attributes:
        networks: none means the loopback alone.
    """

    networks: tuple[_Network, ...] = ()

    def admits(self, host: str) -> bool:
        """Whether the peer at this numeric address may connect; an empty one, on a Unix socket, always may.

        Who may open a Unix socket is said by its file's permissions.
        """
        if not host:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks or _LOOPBACK)


def read_allow(networks: tuple[str, ...]) -> Allow:
    """Read networks: `145.238.0.0/16`, `2001:db8::/32`, or single addresses.

    Raises:
        ValueError: one of them is none; the message says which and why.
    """
    found: list[_Network] = []
    for text in networks:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ValueError(
                f'expected a network such as "145.238.0.0/16" or "2001:db8::/32", or an address, '
                f"got {text!r}: {error}"
            ) from None
    return Allow(tuple(found))


def check_open(listen: Iterable[Address], allow: Allow) -> None:
    """Refuse to listen for other machines without a word on which of them are welcome.

    Raises:
        ValueError: they listen further than the loopback, and `allow` names nobody.
    """
    if allow.networks:
        return
    if further := _names([address for address in listen if not address.local]):
        raise ValueError(
            f"is missing, and {further} is open to other machines: name those that may connect, as in "
            'allow = ["127.0.0.0/8", "145.238.0.0/16"], or everybody with allow = ["0.0.0.0/0", "::/0"]'
        )


def _names(addresses: Sequence[Address]) -> str:
    return ", ".join(map(str, addresses))
