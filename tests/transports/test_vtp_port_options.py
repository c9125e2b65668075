"""What `voeflow check` tells of `tls`, `allow` and `bind` of ports and remotes, and what it never tells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import voeflow
from support.certificates import Authority, Certified
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def port(authority: Authority) -> Certified:
    return authority.certify("port", "localhost")


@pytest.fixture(scope="module")
def locked(authority: Authority, port: Certified) -> Path:
    """The port's key, encrypted."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(port.key.read_bytes(), None)
    path = authority.directory / "locked.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
    )
    return path


def mistakes(tmp_path: Path, table: str, plugin: str = "vtp-receive") -> list[str]:
    """Read a pipeline with one transport; give what is wrong with it."""
    path = tmp_path / "pipeline.toml"
    path.write_text(f'ivoid = "ivo://org.example/node"\n[transports.port]\nplugin = "{plugin}"\n{table}')
    try:
        pipeline = load_pipeline(path, load_plugins(), {"PASSWORD": PASSWORD})
    except voeflow.PipelineError as error:
        return [str(each) for each in error.mistakes]
    assert PASSWORD not in repr(pipeline)
    return []


def test_a_good_table_has_no_mistake(
    tmp_path: Path, authority: Authority, port: Certified, locked: Path
) -> None:
    both = authority.directory / "both.pem"
    both.write_bytes(port.certificate.read_bytes() + port.key.read_bytes())
    for tls in (
        f'{{certificate = "{port.certificate}", key = "{port.key}"}}',
        f'{{certificate = "{both}"}}',
        f'{{certificate = "{port.certificate}", key = "{locked}", password = "${{PASSWORD}}"}}',
    ):
        assert mistakes(tmp_path, f"tls = {tls}\n") == []
        assert mistakes(tmp_path, f"tls = {tls}\n", "vtp-broadcast") == []
    table = (
        f'tls = {{certificate = "{both}", client_ca = "{authority.path}"}}\n'
        'allow = ["145.238.0.0/16 cert:*", "cert:CN=svom-fsc"]\nlisten = "0.0.0.0:8098"\n'
        '[[transports.port.bind]]\npeers = "cert:CN=svom-fsc"\nauthors = ["ivo://obspm.gepi/*"]\n'
    )
    assert mistakes(tmp_path, table) == []
    remote = 'remote = "broker.example.org"\n'
    for tls in ("true", f'{{ca = "{authority.path}", certificate = "{both}"}}', "{}", "false"):
        assert mistakes(tmp_path, f"{remote}tls = {tls}\n", "vtp-subscribe") == []


def test_paths_are_relative_to_the_pipeline(tmp_path: Path, port: Certified) -> None:
    (tmp_path / "port.pem").write_bytes(port.certificate.read_bytes())
    (tmp_path / "port.key").write_bytes(port.key.read_bytes())
    assert mistakes(tmp_path, 'tls = {certificate = "port.pem", key = "port.key"}\n') == []


@pytest.mark.parametrize(
    ("tls", "told"),
    [
        ("true", "tls: expected a table {certificate, key, client_ca, password}, got true"),
        ("{}", "tls.certificate: is missing"),
        ('{certificate = "PORT", kye = "KEY"}', 'tls.kye: no such key (did you mean "key"?)'),
        ('{certificate = "nowhere.pem", key = "KEY"}', "tls.certificate: there is no file "),
        ('{certificate = "KEY", key = "KEY"}', "holds no certificate: it has to be in PEM"),
        ('{certificate = "PORT"}', "holds no private key in PEM, nor is there a `key` beside it"),
        ('{certificate = "PORT", key = "PORT"}', "holds no private key in PEM"),
        ('{certificate = "PORT", key = "OTHER"}', "is not the key of "),
        ('{certificate = "PORT", key = "LOCKED"}', "is encrypted: give its `password`"),
        ('{certificate = "PORT", key = "LOCKED", password = "no"}', "is encrypted with another password"),
        ('{certificate = "BROKEN", key = "KEY"}', "cannot be used together: "),
        ('{certificate = "PORT", key = "KEY", client_ca = "KEY"}', "tls.client_ca: "),
        ('{certificate = "PORT", key = "KEY", client_ca = "BROKEN"}', "a certificate that cannot be read"),
        (
            '{certificate = "PORT", key = "KEY", client_ca = "CA"}',
            "nothing hangs on a certificate: let `allow`",
        ),
    ],
)
def test_what_is_wrong_with_a_certificate_or_its_key_is_told(
    tmp_path: Path, authority: Authority, port: Certified, locked: Path, tls: str, told: str
) -> None:
    broken = authority.directory / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    other = authority.certify("other", "localhost")
    for name, path in {
        "PORT": port.certificate,
        "KEY": port.key,
        "OTHER": other.key,
        "LOCKED": locked,
        "BROKEN": broken,
        "CA": authority.path,
    }.items():
        tls = tls.replace(f'"{name}"', f'"{path}"')
    mistake = mistakes(tmp_path, f"tls = {tls}\n")[0]
    assert mistake.startswith("transports.port.tls")
    assert told in mistake
    assert "_ssl.c" not in mistake


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_key_that_may_not_be_read_is_told_with_what_to_do(tmp_path: Path, port: Certified) -> None:
    closed = tmp_path / "closed.key"
    closed.write_bytes(port.key.read_bytes())
    closed.chmod(0)
    (mistake,) = mistakes(tmp_path, f'tls = {{certificate = "{port.certificate}", key = "{closed}"}}\n')
    assert "may not be read by the user that runs this" in mistake


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('allow = ["cert:CN=svom"]', "allow: names certificates, and nothing says which are genuine"),
        ('allow = ["svom"]', 'allow: expected a network such as "145.238.0.0/16"'),
        ('allow = ["10.0.0.0/8 svom"]', "allow: expected a network, a certificate"),
        ('allow = ["cert:svom"]', 'allow: expected "cert:CN=NAME"'),
        ('bind = [{peers = ["cert:*"], authors = "*"}]', "bind: names certificates, and nothing says"),
        ('bind = [{peers = [], authors = "*"}]', "bind[0].peers: expected at least one network"),
        ('bind = [{peers = "::1"}]', "bind[0].authors: is missing"),
        ('bind = [{peers = "::1", authors = "svom"}]', 'bind[0].authors: expected an IVORN, such as "ivo://'),
        ('authors = ["ivo://a*b/c"]', "authors: expected at most one *, as the last character"),
    ],
)
def test_what_is_wrong_with_who_may_connect_and_speak_is_told(tmp_path: Path, table: str, told: str) -> None:
    (mistake,) = mistakes(tmp_path, table + "\n")
    assert mistake.startswith("transports.port." + told)


def test_no_mistake_and_no_repr_tells_a_password(tmp_path: Path, port: Certified, locked: Path) -> None:
    for key, more in ((locked, ""), (locked, 'certificat = "x"'), (port.certificate, "")):
        tls = f'certificate = "{port.certificate}", key = "{key}", password = "{PASSWORD}x"'
        told = mistakes(tmp_path, f"tls = {{{', '.join(filter(None, (tls, more)))}}}\n")
        assert told
        assert PASSWORD not in "".join(told)
    told = mistakes(
        tmp_path, f'remote = "a.b"\ntls = {{certificate = 5, password = "{PASSWORD}"}}', "vtp-subscribe"
    )
    assert told
    assert PASSWORD not in "".join(told)
