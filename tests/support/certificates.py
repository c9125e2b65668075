"""Certificates for tests: an authority, servers and clients that it signed, in files as users have them."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import trustme


@attrs.frozen
class Certified:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """Its SHA-256 as an entry of `allow`, in capitals and with colons as OpenSSL prints it."""
        first = self.certificate.read_text().partition("-----END CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(first[0] + first[1])
        return f"cert:sha256:{hashlib.sha256(der).digest().hex(':').upper()}"


@attrs.define(eq=False)
class Authority:
    """One that signs, and the directory where everything is written."""

    directory: Path
    ca: trustme.CA = attrs.field(factory=trustme.CA)
    path: Path = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.path = self.directory / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.path))

    def certify(self, file: str, *names: str, subject: str | None = None, expired: bool = False) -> Certified:
        """Sign a certificate for some names, and write it and its key to files of that name."""
        end = datetime.now(UTC) - timedelta(days=1) if expired else None
        made = self.ca.issue_cert(
            *names,
            common_name=subject,
            not_before=datetime.now(UTC) - timedelta(days=30) if expired else None,
            not_after=end,
        )
        certified = Certified(self.directory / f"{file}.pem", self.directory / f"{file}.key")
        certified.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        certified.key.write_bytes(made.private_key_pem.bytes())
        return certified
