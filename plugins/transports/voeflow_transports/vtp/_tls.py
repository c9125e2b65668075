"""The `tls` options of a port and of a remote: files to OpenSSL's contexts, and what is wrong with them."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import MappingProxyType

import attrs

import voeflow

from ._secured import Secured, explain

_CERTIFICATE, _KEY, _LOCKED = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----", b"ENCRYPTED"

#: How to get what is missing, told where it is.
_MAKE = "it has to be in PEM, as -----BEGIN CERTIFICATE----- begins it"


def _read(path: Path) -> bytes:
    """Read a file of a few certificates.

    Raises:
        ValueError: it cannot be; the message names it, and says what to do.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except PermissionError:
        raise ValueError(
            f"{path} may not be read by the user that runs this: give it to that user's group, and chmod 640"
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def _has_certificates(_: object, __: object, path: Path) -> None:
    if _CERTIFICATE not in _read(path):
        raise ValueError(f"{path} holds no certificate: {_MAKE}")


def _has_authorities(_: object, __: object, path: Path) -> None:
    _has_certificates(_, __, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        raise ValueError(f"{path} holds a certificate that cannot be read: {_words(error)}") from None


def _fits(tls: ServerTLS | ClientTLS, _: object, key: Path | None) -> None:
    """Check, as a validator, that the key is that of the certificate."""
    if tls.certificate is None:
        if key is not None:
            raise ValueError("a key is of no use without its certificate: give that, or leave the key out")
        return
    try:
        _has_certificates(tls, _, tls.certificate)
    except ValueError:
        return  # it is told of that key
    path = key or tls.certificate
    content = _read(path)
    if _KEY not in content:
        where = "" if key is not None else ", nor is there a `key` beside it"
        raise ValueError(f"{path} holds no private key in PEM{where}")
    if _LOCKED in content and not tls.password:
        raise ValueError(
            f"{path} is encrypted: give its `password`, or take that off: openssl pkey -in ... -out ..."
        )
    try:
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls)
    except (ssl.SSLError, OSError) as error:
        raise ValueError(_misfit(error, tls.certificate, path, locked=_LOCKED in content)) from None


def _misfit(error: OSError, certificate: Path, key: Path, *, locked: bool) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return (
            f"{key} is not the key of {certificate}, whose first certificate has to be this end's own, before"
            " those of its authorities"
        )
    if locked and (not reason or "PEM" in reason or "DECRYPT" in reason or "PASSWORD" in reason):
        return f"{key} is encrypted with another password than the one given"
    return f"{certificate} and {key} cannot be used together: {_words(error)}"


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return explain(error).removeprefix("TLS failed: ")
    return error.strerror or str(error)


def _load(context: ssl.SSLContext, tls: ServerTLS | ClientTLS) -> None:
    if tls.certificate is not None:
        # A password is always given, or OpenSSL would ask for one on the terminal.
        context.load_cert_chain(tls.certificate, tls.key, lambda: tls.password.reveal())


def _password() -> voeflow.Secret:
    return voeflow.Secret("")


@attrs.frozen
class ServerTLS:
    """TLS for a port: `tls = {certificate = "...", key = "...", client_ca = "..."}`.

    Raises:
        ValueError: a file cannot be used; every validator tells of its own.
    """

    certificate: Path = attrs.field(
        validator=_has_certificates,
        metadata={"help": "the port's certificate in PEM, and after it those that lead to its authority"},
    )
    key: Path | None = attrs.field(
        default=None,
        validator=_fits,
        metadata={"help": "its private key in PEM; in the certificate's file if left out"},
    )
    client_ca: Path | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(_has_authorities),
        metadata={"help": "the certificates in PEM that have to have signed those of clients"},
    )
    password: voeflow.Secret = attrs.field(
        factory=_password, metadata={"help": "what the key's file is encrypted with, if it is"}
    )

    def context(self, *, demanding: bool) -> ssl.SSLContext:
        """Read the files.

        Args:
            demanding: whether a client without a certificate is turned away in the handshake; it is told why
                then.

        Raises:
            OSError: they cannot be read.
        """
        context = _bounded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        # Every connection is its own: a ticket would let a client in again whose certificate was withdrawn,
        # and is sent when many a client has said all it will and reads no more.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        _load(context, self)
        if self.client_ca is not None:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if demanding else ssl.CERT_OPTIONAL
        return context


@attrs.frozen
class ClientTLS:
    """TLS towards a remote: `tls = {ca = "...", certificate = "...", key = "..."}`.

    Raises:
        ValueError: a file cannot be used; every validator tells of its own.
    """

    ca: Path | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(_has_authorities),
        metadata={"help": "the certificates in PEM that are trusted; those of the machine if left out"},
    )
    certificate: Path | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(_has_certificates),
        metadata={"help": "this end's certificate in PEM, for a broker that asks for one"},
    )
    key: Path | None = attrs.field(
        default=None,
        validator=_fits,
        metadata={"help": "its private key in PEM; in the certificate's file if left out"},
    )
    password: voeflow.Secret = attrs.field(
        factory=_password, metadata={"help": "what the key's file is encrypted with, if it is"}
    )
    server_name: str = attrs.field(
        default="",
        metadata={"help": "the name that the broker's certificate must have; the remote's host if left out"},
    )

    def towards(self, host: str) -> Secured:
        """Read the files, and say who the server at a host must be.

        Raises:
            OSError: they cannot be read.
        """
        context = _bounded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # which verifies it, and its name
        if self.ca is not None:
            context.load_verify_locations(self.ca)
        else:
            context.load_default_certs()
        _load(context, self)
        return Secured(context, self.server_name or host)


def _bounded(context: ssl.SSLContext) -> ssl.SSLContext:
    """Take TLS 1.2 and 1.3 alone (RFC 8996 has the older ones not be used), and no renegotiation."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # What is named as trusted is: an authority between, or one certificate alone, as Python has it from 3.13.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def client_tls(tls: bool | ClientTLS) -> ClientTLS | None:
    """Give the options behind `tls` towards a remote: True stands for all of them as they are."""
    if isinstance(tls, ClientTLS):
        return tls
    return ClientTLS() if tls else None


#: What is told of the option that says how TLS is spoken with a remote.
TLS_OPTION = MappingProxyType(
    {
        "help": "true to speak TLS and verify the broker's certificate; a table to say which authorities"
        " are trusted, and to show a certificate"
    }
)
