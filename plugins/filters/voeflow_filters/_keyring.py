"""A directory of OpenPGP keys: whose signatures count."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

import voeflow

if TYPE_CHECKING:
    from pysequoia import Cert

#: What is said where pysequoia is not installed.
MISSING = "this filter needs pysequoia, which is not installed: pip install 'voeflow[openpgp]'"

#: The greatest size of a file with keys, in bytes: a key with photographs and many signatures has 100 kB.
_MAX_FILE = 2**22


@attrs.frozen
class Key:
    """A certificate of the keyring, as of when it was read.

    Attributes:
        fingerprint: of its primary key, in lower-case hexadecimal digits.
        user_ids: the names on it that are not revoked.
        expires: when it does, in UTC, or None.
        revoked: whether it was.
        made: when each of its keys was made, in UTC, by fingerprint.
        certificate: pysequoia's own.
    """

    fingerprint: str
    user_ids: tuple[str, ...]
    expires: datetime | None
    revoked: bool
    made: tuple[tuple[str, datetime], ...]
    certificate: Cert = attrs.field(eq=False, repr=False)
    content: bytes = attrs.field(repr=False)

    def has(self, issuer: str) -> bool:
        """Whether a fingerprint or key ID, in lower case, is one of its keys'."""
        return any(issuer in (fingerprint, _key_id(fingerprint)) for fingerprint, _ in self.made)

    def __str__(self) -> str:
        name = f" ({voeflow.printable(self.user_ids[0], 100)})" if self.user_ids else ""
        return f"{self.fingerprint.upper()}{name}"


def check_installed() -> None:
    """See that pysequoia is there.

    Raises:
        ValueError: it is not; the message says what to do.
    """
    try:
        found = importlib.util.find_spec("pysequoia")
    except ValueError:  # a module without a spec stands in its place
        found = None
    if found is None:
        raise ValueError(MISSING)


def read_keyring(directory: Path) -> tuple[Key, ...]:
    """Read every key in the files of a directory, binary or armoured; hidden files are passed over.

    Returns:
        At least one, in order of fingerprint. One that is in several files is put together from them.

    Raises:
        ValueError: the directory or a file cannot be read, or it is not one of keys; the message says which.
    """
    from pysequoia import Cert

    found: dict[str, Cert] = {}
    for path in _files(directory):
        try:
            if path.stat().st_size > _MAX_FILE:
                raise ValueError(f"{path} is larger than {_MAX_FILE // 2**20} MiB: expected OpenPGP keys")
            content = path.read_bytes()
            certificates, secret = Cert.split_bytes(content), _has_secrets(content)
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from None
        except RuntimeError:
            certificates, secret = [], False
        if not certificates:
            raise ValueError(
                f"{path} holds no OpenPGP key: expected what `gpg --export --armor` writes; "
                "take other files out of this directory"
            )
        if secret:
            raise ValueError(
                f"{path} holds a secret key: put only public ones here, from `gpg --export --armor`"
            )
        for certificate in certificates:
            known = found.get(certificate.fingerprint)
            found[certificate.fingerprint] = certificate if known is None else known.merge(certificate)
    if not found:
        raise ValueError(f"{directory} holds no key: put the authors' public keys there, one or more a file")
    return tuple(_key(found[fingerprint]) for fingerprint in sorted(found))


def find(keys: Sequence[Key], issuer: str) -> Key | None:
    """Give the key of a fingerprint or key ID, in hexadecimal digits of any case."""
    return next((key for key in keys if key.has(issuer.lower())), None)


def _files(directory: Path) -> Iterator[Path]:
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise ValueError(
            f"cannot read {directory}: {error.strerror}; expected a directory of public keys"
        ) from None
    return (path for path in entries if not path.name.startswith(".") and path.is_file())


def _has_secrets(content: bytes) -> bool:
    from pysequoia.packet import PacketPile, Tag

    return any(packet.tag in (Tag.SecretKey, Tag.SecretSubkey) for packet in PacketPile.from_bytes(content))


def _key(certificate: Cert) -> Key:
    from pysequoia.packet import PacketPile

    content = bytes(certificate)
    made = tuple(
        (packet.fingerprint, packet.key_created.astimezone(UTC))
        for packet in PacketPile.from_bytes(content)
        if packet.fingerprint is not None and packet.key_created is not None
    )
    try:
        names = tuple(str(each) for each in certificate.user_ids)
        expires = certificate.expiration
    except RuntimeError:  # nothing in it is valid by what is thought safe today
        names, expires = (), None
    return Key(
        fingerprint=certificate.fingerprint,
        user_ids=names,
        expires=None if expires is None else expires.astimezone(UTC),
        revoked=certificate.is_revoked,
        made=made,
        certificate=certificate,
        content=content,
    )


def _key_id(fingerprint: str) -> str:
    """Give the key ID (RFC 9580, section 5.5.4): the last 64 bits of a v4 fingerprint, the first of a v6."""
    return fingerprint[-16:] if len(fingerprint) == 40 else fingerprint[:16]
