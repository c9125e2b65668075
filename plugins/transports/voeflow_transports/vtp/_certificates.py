"""What a client's certificate says, and which certificates an entry of `allow` means."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable

import attrs

import voeflow

#: The names of a subject's attributes (RFC 4514, section 3, and what else is in use), as OpenSSL spells them.
_ATTRIBUTES = {
    "CN": "commonName",
    "O": "organizationName",
    "OU": "organizationalUnitName",
    "C": "countryName",
    "ST": "stateOrProvinceName",
    "L": "localityName",
    "DC": "domainComponent",
    "UID": "userId",
    "SERIALNUMBER": "serialNumber",
    "EMAILADDRESS": "emailAddress",
}

#: The names of what stands beside the subject (RFC 5280, section 4.2.1.6), as OpenSSL spells them.
_ALTERNATIVES = {"DNS": "DNS", "EMAIL": "email", "URI": "URI", "IP": "IP Address"}

_NAMES = {**_ATTRIBUTES, **_ALTERNATIVES}
_SHORT = {long: short for short, long in _ATTRIBUTES.items()}

_SHA256 = re.compile(r"(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)
_COMMA = re.compile(r"(?<!\\),")


@attrs.frozen(eq=False, repr=False)
class Certificate:
    """A client's certificate, which an authority that is trusted has signed.

    Attributes:
        names: its subject's attributes and its other names, as OpenSSL spells them: `("commonName", "svom")`,
            `("DNS", "svom.example.org")`.
        fingerprint: SHA-256 of it, 32 bytes.
    """

    names: tuple[tuple[str, str], ...]
    fingerprint: bytes = attrs.field(repr=bytes.hex)

    def __str__(self) -> str:
        """Give it as `allow` would have it, by its subject if that has anything."""
        subject = [f"{_SHORT[name]}={value}" for name, value in self.names if name in _SHORT]
        shown = ",".join(each.replace(",", "\\,") for each in subject)
        return voeflow.printable(f"cert:{shown}" if shown else f"cert:sha256:{self.fingerprint.hex()}", 300)


def read_certificate(sock: ssl.SSLObject) -> Certificate | None:
    """Give what the peer has shown, if it has; the handshake has verified it."""
    der = sock.getpeercert(binary_form=True)
    told = sock.getpeercert()
    if not der or not told:
        return None
    subject = told.get("subject", ())
    names = [(str(name), str(value)) for relative in subject for name, value in relative]  # type: ignore[str-unpack]
    others = [(str(each[0]), str(each[1])) for each in told.get("subjectAltName", ())]
    return Certificate((*names, *others), hashlib.sha256(der).digest())


@attrs.frozen(eq=False, repr=False)
class Pattern:
    """Which certificates are meant; with neither, all that are trusted.

    Attributes:
        names: what a certificate must have among its names, all of it.
        fingerprint: what its fingerprint must be, or empty.
    """

    names: frozenset[tuple[str, str]] = frozenset()
    fingerprint: bytes = b""

    def fits(self, certificate: Certificate) -> bool:
        """Whether a certificate is meant."""
        return self.names.issubset(certificate.names) and self.fingerprint in (b"", certificate.fingerprint)


def read_pattern(text: str) -> Pattern:
    """Read what follows `cert:` in an entry: `CN=svom,O=CNES`, `sha256:AB:CD...`, or `*` for any.

    Raises:
        ValueError: it is none of these; the message says what was expected.
    """
    if text == "*":
        return Pattern()
    if text.lower().startswith("sha256:"):
        digits = text[len("sha256:") :]
        if not _SHA256.fullmatch(digits):
            raise ValueError(f'expected 32 bytes in hexadecimal after "cert:sha256:", got {digits[:80]!r}')
        return Pattern(fingerprint=bytes.fromhex(digits.replace(":", "")))
    return Pattern(names=frozenset(_read_names(_COMMA.split(text))))


def _read_names(parts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for part in parts:
        key, equals, value = part.partition("=")
        name, value = key.strip().upper(), value.strip().replace("\\,", ",")
        if not equals or not value or name not in _NAMES:
            raise ValueError(
                'expected "cert:CN=NAME", with more such after commas, "cert:sha256:AB:CD...", or "cert:*" '
                f"for any that client_ca has signed; names are {', '.join(_NAMES)}; got {part[:80]!r}"
            )
        yield _NAMES[name], value
