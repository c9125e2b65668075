"""The two public Kafka networks as tests play them: a broker behind a gate with TLS and a login."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import trustme

from support.kafka_broker import Broker, broker
from support.kafka_gate import Gate, Login, Passwords, Tokens, gate
from support.oidc_server import TokenServer, token_server

#: Who is known at `hopskotch_network`.
USER, PASSWORD = "ann-1a2b3c4d", "the-password"


@attrs.frozen
class Network:
    """A network that runs.

    Attributes:
        broker: the broker, for who has logged in: for the test itself.
        gate: what clients connect to.
        tokens: where GCN's clients get tokens; at Hopskotch nobody asks it.
        certificates: a file of the authority that signed for all of it.
    """

    broker: Broker
    gate: Gate
    tokens: TokenServer
    certificates: Path

    @property
    def trust(self) -> dict[str, str]:
        """librdkafka's settings to trust it."""
        return {"ssl.ca.location": str(self.certificates), "https.ca.location": str(self.certificates)}

    @property
    def gcn_settings(self) -> dict[str, str]:
        """The settings that lead a `gcn` here, beside `servers`."""
        return {**self.trust, "sasl.oauthbearer.token.endpoint.url": self.tokens.url}


@contextmanager
def gcn_network(directory: Path, *, lifetime: float = 3600.0) -> Iterator[Network]:
    """Run GCN's: clients show tokens, which they get for an id and a secret by OpenID Connect.

    Args:
        directory: where logs and certificates go.
        lifetime: how long tokens are good for, in seconds.
    """
    with _certified(directory) as files, token_server(lifetime=lifetime, certificate=files) as tokens:
        login = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": tokens.client_id,
            "sasl.oauthbearer.client.secret": tokens.client_secret,
            "sasl.oauthbearer.token.endpoint.url": tokens.url,
        }
        with _behind(Tokens(tokens), files, directory, login, tokens) as network:
            yield network


@contextmanager
def hopskotch_network(directory: Path) -> Iterator[Network]:
    """Run Hopskotch's: clients log in by SCRAM-SHA-512."""
    login = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": USER,
        "sasl.password": PASSWORD,
    }
    passwords = Passwords({USER: PASSWORD})
    with (
        _certified(directory) as files,
        _behind(passwords, files, directory, login, TokenServer()) as network,
    ):
        yield network


@contextmanager
def _certified(directory: Path) -> Iterator[tuple[Path, Path]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    files = directory / "certificate.pem", directory / "key.pem"
    files[0].write_bytes(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(files[1])
    yield files


@contextmanager
def _behind(
    login: Login, files: tuple[Path, Path], directory: Path, settings: dict[str, Any], tokens: TokenServer
) -> Iterator[Network]:
    authority = directory / "authority.pem"
    trust = {"ssl.ca.location": str(authority)}
    if tokens.url:
        trust["https.ca.location"] = str(authority)
    with (
        gate(login, certificate=files) as standing,
        broker(directory, port=standing.upstream, told=standing.port) as inner,
    ):
        through = Broker(standing.port, inner.process, {**settings, **trust})
        yield Network(through, standing, tokens, authority)
