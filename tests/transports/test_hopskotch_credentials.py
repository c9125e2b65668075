"""Where the user and the password for Hopskotch come from."""

from __future__ import annotations

from pathlib import Path

import pytest

import voeflow
from voeflow_transports.kafka._credentials import CredentialError
from voeflow_transports.kafka._hop_credentials import Credential, find_credential

SERVER = "kafka.scimma.org"

#: As hop-client 0.13 writes it.
ENTRY = """\
[[auth]]
username = "{username}"
password = "the password"
protocol = "SASL_SSL"
mechanism = "SCRAM-SHA-512"
hostname = "{hostname}"
"""


def written(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "auth.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def find(path: Path | None, *, username: str = "", server: str = SERVER, **environ: str) -> Credential:
    return find_credential(server, username, None, path, environ)


def test_the_pipeline_counts_before_everything_else(tmp_path: Path) -> None:
    path = written(tmp_path, ENTRY.format(username="filed", hostname=SERVER))
    secret = voeflow.Secret("x")
    found = find_credential(SERVER, "mine", secret, path, {"HOP_USERNAME": "a", "HOP_PASSWORD": "b"})
    assert (found.username, found.password) == ("mine", secret)


def test_the_environment_counts_before_the_file_unless_it_is_for_another_user(tmp_path: Path) -> None:
    path = written(tmp_path, ENTRY.format(username="filed", hostname=SERVER))
    environ = {"HOP_USERNAME": "env", "HOP_PASSWORD": "b"}
    assert find(path, **environ).username == "env"
    assert find(path, username="filed", **environ).username == "filed"


def test_the_file_is_looked_for_where_hop_client_keeps_it(tmp_path: Path) -> None:
    for place, environ in (
        (tmp_path / "xdg" / "hop", {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": "/nowhere"}),
        (tmp_path / "home" / ".config" / "hop", {"HOME": str(tmp_path / "home")}),
    ):
        place.mkdir(parents=True)
        path = written(place, ENTRY.format(username="filed", hostname=SERVER))
        found = find(None, **environ)
        assert (found.username, found.source) == ("filed", str(path))
        assert found.settings() == {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": "filed",
            "sasl.password": "the password",
        }


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o610])
def test_a_file_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, ENTRY.format(username="filed", hostname=SERVER), mode)
    with pytest.raises(CredentialError, match="chmod 600"):
        find(path)


@pytest.mark.parametrize(
    ("hostname", "server", "fits"),
    [
        ("kafka.scimma.org", "kafka.scimma.org", True),
        ("kafka.scimma.org:9092", "kafka.scimma.org", True),
        ("kafka.scimma.org", "kafka.scimma.org:9092", True),
        ("kafka.scimma.org:9093", "kafka.scimma.org", False),
        ("dev.scimma.org", "kafka.scimma.org", False),
        ("[::1]:9092", "[::1]", True),
        ("", "kafka.scimma.org", True),
    ],
)
def test_an_entry_is_for_its_own_broker(tmp_path: Path, hostname: str, server: str, fits: bool) -> None:
    path = written(tmp_path, ENTRY.format(username="filed", hostname=hostname))
    if fits:
        assert find(path, server=server).username == "filed"
    else:
        with pytest.raises(CredentialError, match="no credential for"):
            find(path, server=server)


def test_an_entry_for_this_broker_counts_before_one_for_any(tmp_path: Path) -> None:
    entries = ENTRY.format(username="any", hostname="") + ENTRY.format(username="this", hostname=SERVER)
    assert find(written(tmp_path, entries)).username == "this"


def test_of_two_entries_that_fit_the_username_chooses(tmp_path: Path) -> None:
    entries = ENTRY.format(username="one", hostname=SERVER) + ENTRY.format(username="two", hostname=SERVER)
    path = written(tmp_path, entries)
    assert find(path, username="two").username == "two"
    with pytest.raises(CredentialError, match="choose one by username: one, two"):
        find(path)
    with pytest.raises(CredentialError, match="no credential of three"):
        find(path, username="three")


def test_the_old_form_of_the_file_is_read_too(tmp_path: Path) -> None:
    path = written(
        tmp_path, '[auth]\nusername = "u"\npassword = "p"\nprotocol = "SASL_PLAINTEXT"\nmechanism = "PLAIN"\n'
    )
    assert find(path).settings() == {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "p",
    }


def test_a_credential_with_a_token_endpoint_asks_it_for_tokens(tmp_path: Path) -> None:
    path = written(
        tmp_path, '[[auth]]\nusername = "u"\npassword = "p"\ntoken_endpoint = "https://a.example.org/token"\n'
    )
    assert find(path).settings() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "u",
        "sasl.oauthbearer.client.secret": "p",
        "sasl.oauthbearer.token.endpoint.url": "https://a.example.org/token",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no 'auth'"),
        ("[[auth]]\nusername = 'u'\n", "no 'password'"),
        ("auth = 3\n", "no file of `hop auth`"),
        ("auth = ['x']\n", "no file of `hop auth`"),
        ("not toml", "no file of `hop auth`"),
        ("a = " + "[" * 5000, "no file of `hop auth`"),
        ("#" * 300_000, "longer than"),
        ("[[auth]]\nusername = 'u'\npassword = 'p'\ntoken_command = 'rm -rf /'\n", "does not run"),
        ("[[auth]]\nusername = 'u'\npassword = 'p'\nmechanism = 'GSSAPI'\n", "expected one of SCRAM-SHA-512"),
    ],
)
def test_a_file_of_no_use_is_told_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CredentialError, match=message):
        find(written(tmp_path, text))


def test_without_any_the_message_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=r"my\.hop\.scimma\.org"):
        find(tmp_path / "auth.toml")
    with pytest.raises(CredentialError, match="no username"):
        find_credential(SERVER, "", voeflow.Secret("x"), None, {})
