"""Where the id and the secret for GCN come from."""

from __future__ import annotations

import pytest

import voeflow
from voeflow_transports.kafka._credentials import CredentialError
from voeflow_transports.kafka._gcn_credentials import find_client

SECRET = voeflow.Secret("of the pipeline")


def test_the_pipeline_counts_before_the_environment() -> None:
    found = find_client("an id", SECRET, {"GCN_KAFKA_CLIENT_ID": "other", "GCN_KAFKA_CLIENT_SECRET": "other"})
    assert (found.client_id, found.client_secret, found.source) == ("an id", SECRET, "the pipeline")


@pytest.mark.parametrize(
    "names",
    [
        ("GCN_KAFKA_CLIENT_ID", "GCN_KAFKA_CLIENT_SECRET"),
        ("KAFKA_CLIENT___ID", "KAFKA_CLIENT___SECRET"),
        ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"),
    ],
)
def test_the_environment_is_read_as_gcn_kafka_reads_it(names: tuple[str, str]) -> None:
    found = find_client("", None, dict(zip(names, ("an id", "a secret"), strict=True)))
    assert (found.client_id, found.client_secret.reveal()) == ("an id", "a secret")
    assert found.source == " and ".join(names)


@pytest.mark.parametrize(
    ("client_id", "secret", "environ", "message"),
    [
        ("", None, {}, "https://gcn.nasa.gov/quickstart"),
        ("an id", None, {}, "gives a client_id but no client_secret"),
        ("", SECRET, {}, "gives a client_secret but no client_id"),
        ("", None, {"GCN_KAFKA_CLIENT_ID": "x"}, "GCN_KAFKA_CLIENT_SECRET is not"),
        ("", None, {"KAFKA_CLIENT___SECRET": "x"}, "KAFKA_CLIENT___ID is not"),
    ],
)
def test_what_is_missing_is_named_with_where_to_get_it(
    client_id: str, secret: voeflow.Secret | None, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(CredentialError, match=message):
        find_client(client_id, secret, environ)


def test_no_message_shows_a_secret() -> None:
    with pytest.raises(CredentialError) as caught:
        find_client("", voeflow.Secret("hunter2"), {"GCN_KAFKA_CLIENT_SECRET": "hunter2"})
    assert "hunter2" not in str(caught.value)
