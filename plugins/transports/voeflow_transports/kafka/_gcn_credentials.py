"""Credentials for NASA's General Coordinates Network: from the pipeline or the environment."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

import voeflow

from ._credentials import CredentialError

#: Where to get credentials.
WHERE = "get an id and a secret at https://gcn.nasa.gov/quickstart"

#: The variables of the environment that hold an id and a secret, in the order in which they count. The first
#: two are voeflow's; the others are what gcn-kafka 0.3 reads with `config_from_env`, whose names are those of
#: its settings `client_id` and `sasl.oauthbearer.client.id` with `_` for `.` and `___` for `_`.
VARIABLES = (
    ("GCN_KAFKA_CLIENT_ID", "GCN_KAFKA_CLIENT_SECRET"),
    ("KAFKA_CLIENT___ID", "KAFKA_CLIENT___SECRET"),
    ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"),
)


@attrs.frozen
class ClientCredential:
    """An id and a secret of a client, and where they were found.

    Attributes:
        client_id: the id.
        client_secret: the secret.
        source: where they were found, for messages.
    """

    client_id: str
    client_secret: voeflow.Secret
    source: str


def find_client(
    client_id: str, client_secret: voeflow.Secret | None, environ: Mapping[str, str]
) -> ClientCredential:
    """Find the credential: in the pipeline, or in the environment.

    Args:
        client_id: the id in the pipeline, or empty.
        client_secret: the secret in the pipeline, or None.
        environ: the environment.

    Raises:
        CredentialError: there is none, or only half of one; the message says where to get one.
    """
    if client_id and client_secret:
        return ClientCredential(client_id, client_secret, "the pipeline")
    if client_id or client_secret:
        there, missing = ("client_id", "client_secret") if client_id else ("client_secret", "client_id")
        raise CredentialError(f"the pipeline gives a {there} but no {missing}: give both, or neither")
    for names in VARIABLES:
        found, secret = (environ.get(name, "") for name in names)
        if found and secret:
            return ClientCredential(found, voeflow.Secret(secret), " and ".join(names))
        if found or secret:
            there, missing = names if found else reversed(names)
            raise CredentialError(f"{there} is set but {missing} is not: set both, or neither")
    raise CredentialError(
        "no credential: the pipeline has no client_id and client_secret, and the environment no"
        f" {' and '.join(VARIABLES[0])}; {WHERE}"
    )
