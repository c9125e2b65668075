"""Signed events from `voeflow send --sign` through two real nodes: who gets them, and what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.stage import Stage, contents, wait_for_contents
from interop.wire import submit
from support.gnupg import clear_signed, gnupg, in_comment
from support.samples import voevent
from voeflow import Event

AUTHOR = "ivo://obspm.gepi/svom"

FIRST = """\
ivoid = "ivo://org.example/first"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[transports.public]
plugin = "vtp-broadcast"
listen = "127.0.0.1:0"
test_interval = "0"
"""

SECOND = """\
ivoid = "ivo://org.example/second"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:{port}"
[filters.genuine]
plugin = "signed"
keys = "keys"
authors = {{ "ivo://obspm.gepi/*" = "{key}" }}
[handlers.all]
plugin = "save"
directory = "all"
[handlers.genuine]
plugin = "save"
directory = "genuine"
when = "genuine"
"""


@pytest.mark.slow
def test_what_the_author_signed_is_acted_on_and_everything_else_is_only_kept(
    stage: Stage, tmp_path: Path
) -> None:
    with gnupg() as gpg:
        key, other = gpg.make(AUTHOR), gpg.make("ivo://other.example/x")
        room = stage.room("second")
        (room / "keys").mkdir()
        (room / "keys" / "svom.asc").write_bytes(gpg.public(key))
        (room / "keys" / "other.asc").write_bytes(gpg.public(other))
        (tmp_path / "secret.asc").write_bytes(gpg.secret(key))

        first = stage.node(FIRST, name="first")
        second = stage.node(SECOND.format(port=first.port("public"), key=key), name="second")
        second.wait_until_told("subscribed")

        plain = {name: voevent(f"ivo://obspm.gepi/svom#{name}", author=AUTHOR, tail="") for name in
                 ("sent", "clear", "plain", "forged", "changed")}  # fmt: skip
        element = {name: Event.parse(raw).element for name, raw in plain.items()}
        (tmp_path / "sent.xml").write_bytes(plain["sent"])
        done = stage.command(
            "send", tmp_path / "sent.xml", "--to", f"127.0.0.1:{first.port('authors')}",
            "--sign", tmp_path / "secret.asc",
        )  # fmt: skip
        assert (done.status, done.err) == (0, "")
        others = {
            "clear": clear_signed(gpg.clear(b"-->\n" + element["clear"] + b"\n<!--", key)),
            "plain": plain["plain"],
            "forged": plain["forged"] + in_comment(gpg.detached(element["forged"], other)),
            "changed": plain["changed"].replace(b"83.633", b"83.6")
            + in_comment(gpg.detached(element["changed"], key)),
        }
        for raw in others.values():
            assert submit(first.port("authors"), raw) == "ack"

        wait_for_contents(room / "all", others.values(), first, second)
        wait_for_contents(room / "genuine", [others["clear"]], first, second)
        genuine = contents(room / "genuine")
        (signed,) = [raw for raw in genuine if raw != others["clear"]]
        assert Event.parse(signed).element == element["sent"]
        assert signed.startswith(plain["sent"])
        assert signed in contents(room / "all")
        second.stop()

        for name, raw in others.items():
            (tmp_path / f"{name}.xml").write_bytes(raw)
        told = stage.command("test", room / "pipeline.toml", *(tmp_path / f"{name}.xml" for name in others))
    for words in ("signed by", "not signed", "wrong author", "wrong signature"):
        assert words in told.out.replace("\n", " "), told.out
