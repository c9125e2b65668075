"""Credentials for Hopskotch: from the pipeline, the environment, or where hop-client keeps them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

import voeflow

from ._credentials import CredentialError

#: Where to get credentials.
WHERE = "get a user and a password at https://my.hop.scimma.org, and keep them with `hop auth add`"

#: Permissions that nobody but the file's owner may have (hop-client 0.13 refuses these too).
_OTHERS_MAY = 0o7077

#: The longest file of credentials that is read, in bytes; one has about 200.
_MAX_FILE = 256 * 1024

#: What librdkafka can do with a name and a password.
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")

#: Kafka's port where an address names none.
_PORT = "9092"


@attrs.frozen
class Credential:
    """A user of a broker, and how it shows that it is one.

    Attributes:
        username: its name.
        password: its password, or the secret of its client for tokens.
        mechanism: the SASL mechanism, as `SCRAM-SHA-512`.
        encrypted: whether the connection is to be TLS.
        hostname: the broker for which it is, or empty for any.
        certificates: a file of certificates to trust, or empty for those that the machine trusts.
        token_url: where tokens are to be had, for the mechanism OAUTHBEARER.
        source: where it was found, for messages.
    """

    username: str
    password: voeflow.Secret
    mechanism: str = "SCRAM-SHA-512"
    encrypted: bool = True
    hostname: str = ""
    certificates: str = ""
    token_url: str = ""
    source: str = "the pipeline"

    def settings(self) -> dict[str, Any]:
        """Give librdkafka's settings for it."""
        settings = {
            "security.protocol": "SASL_SSL" if self.encrypted else "SASL_PLAINTEXT",
            "sasl.mechanisms": self.mechanism,
        }
        if self.encrypted and self.certificates:
            settings |= {"ssl.ca.location": self.certificates, "https.ca.location": self.certificates}
        if self.mechanism == "OAUTHBEARER":
            return settings | {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": self.username,
                "sasl.oauthbearer.client.secret": self.password.reveal(),
                "sasl.oauthbearer.token.endpoint.url": self.token_url,
            }
        return settings | {"sasl.username": self.username, "sasl.password": self.password.reveal()}


def find_credential(
    server: str,
    username: str,
    password: voeflow.Secret | None,
    auth_file: Path | None,
    environ: Mapping[str, str],
) -> Credential:
    """Find the credential to use with a broker.

    In this order: name and password of the pipeline; `HOP_USERNAME` and `HOP_PASSWORD` of the environment;
    the file that `hop auth` writes, of which the entry counts that is for this broker and, where the pipeline
    gives a name, this name.

    Args:
        server: the broker, as `kafka.scimma.org` or `HOST:PORT`; of several, the first.
        username: the name in the pipeline, or empty.
        password: the password in the pipeline, or None.
        auth_file: the file, or None for where hop-client keeps it.
        environ: the environment.

    Returns:
        The one credential that fits.

    Raises:
        CredentialError: there is none, or more than one, or the file is not to be trusted.
    """
    if password:
        if not username:
            raise CredentialError("there is a password but no username in the pipeline: give both")
        return Credential(username, password)
    given = environ.get("HOP_USERNAME", ""), environ.get("HOP_PASSWORD", "")
    if all(given) and username in ("", given[0]):
        return Credential(given[0], voeflow.Secret(given[1]), source="HOP_USERNAME and HOP_PASSWORD")
    path = auth_file or _default_file(environ)
    return _choose(_read(path), server, username, path)


def _default_file(environ: Mapping[str, str]) -> Path:
    config = environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path(environ.get("HOME", "/"), ".config")) / "hop" / "auth.toml"


def _read(path: Path) -> list[Credential]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS_MAY:
                raise CredentialError(f"{path} may be read by others (mode {mode & 0o7777:o}): chmod 600 it")
            text = file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        raise CredentialError(
            "no credential: the pipeline has no username and password, the environment no HOP_USERNAME and"
            f" HOP_PASSWORD, and there is no {path}; {WHERE}"
        ) from None
    except OSError as error:
        raise CredentialError(f"{path} cannot be read: {error.strerror}") from None
    try:
        if len(text) > _MAX_FILE:
            raise ValueError(f"it is longer than {_MAX_FILE} bytes")
        entries = tomllib.loads(text.decode())["auth"]
        if isinstance(entries, Mapping):  # as hop-client wrote it once
            entries = [entries]
        return [_credential(entry, path) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)  # names no value of the file
        raise CredentialError(
            f"{path} is no file of `hop auth`: {voeflow.printable(why, 200)}; {WHERE}"
        ) from None


def _credential(entry: Mapping[str, Any], path: Path) -> Credential:
    url, command = str(entry.get("token_endpoint") or ""), str(entry.get("token_command") or "")
    mechanism = str(entry.get("mechanism") or ("OAUTHBEARER" if url or command else _MECHANISMS[0]))
    return Credential(
        str(entry["username"]),
        voeflow.Secret(str(entry["password"])),
        mechanism.replace("_", "-"),
        entry.get("protocol") != "SASL_PLAINTEXT",
        str(entry.get("hostname") or ""),
        str(entry.get("ssl_ca_location") or ""),
        url,
        str(path),
    )


def _choose(found: list[Credential], server: str, username: str, path: Path) -> Credential:
    named = [each for each in found if username in ("", each.username)]
    exact = [each for each in named if each.hostname and _address(each.hostname) == _address(server)]
    fitting = exact or [each for each in named if not each.hostname]
    whose = f" of {username}" if username else ""
    if not fitting:
        raise CredentialError(f"{path} has no credential{whose} for {server}; {WHERE}")
    if len(fitting) > 1:
        names = ", ".join(sorted(each.username for each in fitting))
        raise CredentialError(f"{path} has several credentials for {server}: choose one by username: {names}")
    (chosen,) = fitting
    if chosen.mechanism == "OAUTHBEARER" and not chosen.token_url:
        raise CredentialError(
            f"the credential of {chosen.username} in {path} has a token_command, which voeflow does not run"
        )
    if chosen.mechanism not in (*_MECHANISMS, "OAUTHBEARER"):
        raise CredentialError(
            f"the credential of {chosen.username} in {path} has the mechanism"
            f" {voeflow.printable(chosen.mechanism, 40)}; expected one of"
            f" {', '.join(_MECHANISMS)}, OAUTHBEARER"
        )
    return chosen


def _address(server: str) -> tuple[str, str]:
    """Give host and port: `host`, `host:9092`, `[::1]:9092`; without a port it is Kafka's own."""
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return server.lower(), _PORT
    return host.lower(), port
