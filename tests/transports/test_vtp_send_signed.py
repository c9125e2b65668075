"""`voeflow send --sign`: what GnuPG says of it, and what our own filter does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result

import voeflow
from support.gnupg import GnuPG, gnupg
from support.samples import voevent
from transports.vtp_node import FakeNode, running
from voeflow_filters.signed import Signed
from voeflow_transports.vtp.receive import VTPReceive
from voeflow_transports.vtp.send_command import send

AUTHOR = "ivo://obspm.gepi/svom"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def gpg() -> Iterator[GnuPG]:
    with gnupg() as home:
        yield home


@pytest.fixture(scope="module")
def key(gpg: GnuPG) -> str:
    return gpg.make(AUTHOR)


@pytest.fixture
def secret(gpg: GnuPG, key: str, tmp_path: Path) -> Path:
    path = tmp_path / "secret.asc"
    path.write_bytes(gpg.secret(key))
    return path


def sent_dry(*arguments: Any) -> Result:
    """Call the command with a broker that is not there: what fails before is told first."""
    return CliRunner().invoke(send, [*map(str, arguments), "--to", "127.0.0.1:1"])


async def sent(tmp_path: Path, packets: list[bytes], *options: Any) -> list[bytes]:
    """Send packets to our own receiver; give what it submitted."""
    node = FakeNode()
    files = [tmp_path / f"{number}.xml" for number in range(len(packets))]
    for path, raw in zip(files, packets, strict=True):
        path.write_bytes(raw)
    async with running(VTPReceive(listen=("127.0.0.1:0",)), node) as (listener,):
        result = await trio.to_thread.run_sync(
            lambda: CliRunner().invoke(
                send, [*map(str, [*files, *options]), "--to", f"127.0.0.1:{listener.port}"]
            )
        )
    assert result.exit_code == 0, result.output
    return [raw for raw, *_ in node.submitted]


async def test_gnupg_and_our_filter_find_it_good_and_the_element_is_unchanged(
    gpg: GnuPG, key: str, secret: Path, tmp_path: Path
) -> None:
    plain = [
        voevent("ivo://a.b/c#1", author=AUTHOR),
        voevent("ivo://a.b/c#2", author=AUTHOR, tail="\r\n<!-- kept -->\n"),
        voevent("ivo://a.b/c#3", author=AUTHOR, body="<What>\n--&gt;\n- &#x4e2d;</What>", tail=""),
    ]
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "key.asc").write_bytes(gpg.public(key))
    for before, raw in zip(plain, await sent(tmp_path, plain, "--sign", secret), strict=True):
        event = voeflow.Event.parse(raw)
        assert event.element == voeflow.Event.parse(before).element
        found = re.search(rb"<!--\n(=====BEGIN PGP SIGNATURE.*?)\n-->", raw, re.DOTALL)
        assert found is not None
        assert raw[: found.start()] + raw[found.end() :] == before
        assert found.start() == raw.index(event.element) + len(event.element)
        (tmp_path / "signature.asc").write_bytes(found[1].replace(b"=====", b"-----") + b"\n")
        gpg("--verify", str(tmp_path / "signature.asc"), "-", given=event.element)  # fails if it is not good
        if b"AuthorIVORN" in raw:
            assert Signed(keys).matches(event) == voeflow.Verdict(True, f"signed by {key} ({AUTHOR})")
        assert Signed(keys, {"*": key}).matches(event).holds


def test_a_key_with_a_passphrase(tmp_path: Path) -> None:
    import pysequoia

    with gnupg() as own:
        own("--passphrase", PASSWORD, "--quick-gen-key", AUTHOR, "ed25519", "sign", "0")
        (tmp_path / "key").write_bytes(own("--passphrase", PASSWORD, "--export-secret-keys"))
    assert pysequoia.Tsk.from_file(str(tmp_path / "key"))
    (tmp_path / "event.xml").write_bytes(voevent())
    (tmp_path / "word").write_text(PASSWORD + "\n")
    (tmp_path / "wrong").write_text("battery staple")
    event, sign = tmp_path / "event.xml", ("--sign", tmp_path / "key")
    good = sent_dry(event, *sign, "--passphrase-file", tmp_path / "word")
    assert (good.exit_code, good.output[:12]) == (3, "cannot reach")
    wrong = sent_dry(event, *sign, "--passphrase-file", tmp_path / "wrong")
    assert (wrong.exit_code, "passphrase is not that of the key" in wrong.output) == (1, True)
    assert "--passphrase-file" in sent_dry(event, *sign).output
    assert PASSWORD not in good.output + wrong.output


def test_what_cannot_sign_is_told(gpg: GnuPG, key: str, secret: Path, tmp_path: Path) -> None:
    event = tmp_path / "event.xml"
    event.write_bytes(voevent())
    (tmp_path / "public").write_bytes(gpg.public(key))
    (tmp_path / "text").write_text("no key at all")
    old = gpg.make("ivo://old.example/x", lasts="1y", at="20200101T000000")
    (tmp_path / "old").write_bytes(gpg.secret(old))
    for name, words in (
        ("public", "no secret OpenPGP key"),
        ("text", "no secret OpenPGP key"),
        ("old", "may be expired or revoked"),
    ):
        result = sent_dry(event, "--sign", tmp_path / name)
        assert result.exit_code == 1
        assert words in result.output
    wide = tmp_path / "wide.xml"
    wide.write_bytes(voevent(declaration="").decode().encode("utf-16"))
    assert "write it in UTF-8 to sign it" in sent_dry(wide, "--sign", secret).output
    assert sent_dry(event, "--sign", secret, "--no-check").exit_code == 2
