"""Notices on the command line: tried, listed where they were refused, shown and copied out."""

from __future__ import annotations

import base64
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import trio
from click.testing import CliRunner, Result

import voeflow as public
from support.nodes import running
from support.samples import voevent
from voeflow import Attachment, Mapped, Notice
from voeflow._command import main
from voeflow._plugins import load_plugins

NODE = """
[transports.in]
plugin = "hand"
"""

#: What the command reads: of the same store, with installed plugins.
PIPELINE = """
[transports.in]
plugin = "replay"
directory = "packets"
[filters.sky]
plugin = "sky"
[handlers.save]
plugin = "save"
directory = "out"
when = "sky"
"""

SKY = Attachment("skymap.fits", "application/fits", bytes(range(256)) * 3)


class Gcn:
    """Makes an event of each notice with an `id`.

    And says more about it here.
    """

    topics = ("gcn.*",)

    def map(self, notice: Notice, earlier: Callable[[str], Sequence[str]]) -> Mapped | None:
        if notice.json.get("bad"):
            raise public.EventError("it is bad")
        if "id" not in notice.json:
            return None
        cited = "".join(f'<EventIVORN cite="followup">{each}</EventIVORN>' for each in earlier("ivo://gcn/"))
        body = f"<What/>{f'<Citations>{cited}</Citations>' if cited else ''}"
        return Mapped(voevent(f"ivo://gcn/alerts#{notice.json['id']}", body=WHO + body), (SKY,))


WHO = "<Who><AuthorIVORN>ivo://gcn/alerts</AuthorIVORN></Who>"


@attrs.frozen
class Sky:
    """Asks whether there is a sky map."""

    inline: ClassVar[bool] = True

    def matches(self, event: public.Event) -> bool:
        return any(each.name == "skymap.fits" for each in event.attachments)


class Plugin:
    @public.hookimpl
    def register_mappings(self) -> dict[str, Any]:
        return {"gcn": Gcn()}

    @public.hookimpl
    def register_filters(self) -> dict[str, type]:
        return {"sky": Sky}


def voeflow(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline that knows the mapping and the filter above."""

    def load(**_: Any) -> Any:
        return load_plugins([Plugin()])

    monkeypatch.setattr("voeflow._command._pipelines.load_plugins", load)
    monkeypatch.setattr("voeflow._command.plugins.load_plugins", load)
    path = tmp_path / "command.toml"
    path.write_text(PIPELINE)
    return path


@pytest.fixture
def stored(pipeline: Path, tmp_path: Path) -> Path:
    """The pipeline's store, with one event of a notice, one packet and two refusals."""

    async def fill() -> None:
        async with running(tmp_path, NODE, [Plugin()]) as (loaded, _):
            node = loaded.transports["in"].instance.node
            await node.submit_notice(Notice(b'{"id": 1}', "gcn.alerts"))
            await node.submit(voevent("ivo://other/stream#1"))
            await node.submit_notice(
                Notice(b'{"what": 1}', "lsst"), where="topic lsst, partition 0, offset 4"
            )
            await node.refuse(b"\x00\x01", "too long", peer="kafka:9092")

    trio.run(fill)
    return pipeline


# Trying a notice


def test_a_notice_is_mapped_and_shown_and_asked_about(pipeline: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text('{"id": 1}')
    second.write_text('\ufeff {"id": 2}')
    result = voeflow("test", pipeline, "--topic", "gcn.alerts", first, second)
    assert result.exit_code == 0, result.output
    assert f"{first}: made a VOEvent by the mapping gcn of no distribution" in result.output
    assert "ivo://gcn/alerts#1 (observation)" in result.output
    assert "attachment: notice.json, application/json, 9 bytes" in result.output
    assert "attachment: skymap.fits, application/fits, 768 bytes" in result.output
    assert "cites: ivo://gcn/alerts#1 (followup)" in result.output, "the file before came earlier"
    assert result.output.count("sky       yes") == 2
    assert not (tmp_path / "voeflow.db").exists()


def test_what_the_store_has_came_earlier(stored: Path, tmp_path: Path) -> None:
    notice = tmp_path / "2.json"
    notice.write_text('{"id": 2}')
    result = voeflow("test", stored, "--mapping", "gcn", "--packet", notice)
    assert result.exit_code == 0, result.output
    assert '<EventIVORN cite="followup">ivo://gcn/alerts#1</EventIVORN>' in result.output


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ('{"id": 1}', [], "it is no XML; if it is a notice, say where it comes from: --topic TOPIC"),
        (
            '{"id": 1}',
            ["--topic", "lsst"],
            "no mapping is installed for the topic 'lsst'; there are some for ",
        ),
        ('{"other": 1}', ["--topic", "gcn.x"], "no notice that can be taken: not known to gcn"),
        ('{"bad": 1}', ["--topic", "gcn.x"], "no notice that can be taken: it is bad"),
        ("[", ["--topic", "gcn.x"], "no JSON: Expecting value"),
        ("[]", ["--topic", "gcn.x"], "the mapping gcn of no distribution raised AttributeError"),
        ("", ["--topic", "gcn.x"], "no VOEvent that can be taken"),
        (" <html/>", ["--topic", "gcn.x"], "no VOEvent that can be taken: line 1: no VOEvent"),
    ],
)
def test_what_is_no_notice_is_told(
    pipeline: Path, tmp_path: Path, content: str, options: list[str], said: str
) -> None:
    file = tmp_path / "notice"
    file.write_text(content)
    result = voeflow("test", pipeline, *options, file)
    assert result.exit_code == 1
    assert said in result.output


def test_a_mapping_that_is_not_there_is_told(pipeline: Path, tmp_path: Path) -> None:
    (tmp_path / "notice").write_text("{}")
    result = voeflow("test", pipeline, "--mapping", "gnc", tmp_path / "notice")
    assert result.exit_code == 2
    assert "--mapping: there is no mapping 'gnc'; installed: " in result.output


# What is kept


def test_show_lists_what_is_kept_beside_an_event_and_gives_it_out(stored: Path) -> None:
    shown = voeflow("events", "show", stored, "ivo://gcn/alerts#1")
    assert "  attachment: notice.json, application/json, 9 bytes\n" in shown.output
    facts = json.loads(voeflow("events", "show", stored, "ivo://gcn/alerts#1", "--format", "json").output)
    assert facts["attachments"][1] == {"name": "skymap.fits", "media_type": "application/fits", "bytes": 768}

    raw = voeflow("events", "show", stored, "ivo://gcn/alerts#1", "--attachment", "skymap.fits")
    assert (raw.exit_code, raw.stdout_bytes) == (0, SKY.content)


def test_an_attachment_that_is_not_there_is_told(stored: Path) -> None:
    result = voeflow("events", "show", stored, "ivo://gcn/alerts#1", "--attachment", "map.png")
    assert result.exit_code == 1
    assert "there is no map.png beside it: notice.json, skymap.fits is kept there." in result.output
    result = voeflow("events", "show", stored, "ivo://other/stream#1", "--attachment", "map.png")
    assert "nothing is kept there" in result.output


def test_filters_see_what_is_kept_beside_an_event(stored: Path) -> None:
    listed = voeflow("events", "list", stored, "--where", "sky", "--format", "ivorn")
    assert listed.output == "ivo://gcn/alerts#1\n"


def test_what_was_refused_is_listed_with_its_place_and_given_out(stored: Path) -> None:
    listed = voeflow("events", "list", stored, "--refused", "--format", "json")
    rows = [json.loads(line) for line in listed.output.splitlines()]
    assert [(row["number"], row["source"], row["where"], row["reason"]) for row in rows] == [
        (2, "in", "", "too long"),
        (1, "in", "topic lsst, partition 0, offset 4", "no mapping is installed for the topic 'lsst'"),
    ]
    assert voeflow("events", "show", stored, "1", "--refused", "--raw").stdout_bytes == b'{"what": 1}'
    shown = voeflow("events", "show", stored, "1", "--refused")
    assert "  where: topic lsst, partition 0, offset 4\n" in shown.output
    assert (
        json.loads(voeflow("events", "show", stored, "2", "--refused", "--format", "json").output) == rows[0]
    )


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["7", "--refused"], 1, "nothing was refused under the number 7"),
        (["9" * 30, "--refused"], 1, "nothing was refused under the number"),
        (["ivo://a/b#c", "--refused"], 2, "expected a number that `voeflow events list --refused` gives"),
        (["1", "--refused", "--attachment", "x"], 2, "--attachment goes with neither --raw nor --refused"),
    ],
)
def test_what_is_asked_wrongly_of_refusals_is_told(
    stored: Path, words: list[str], status: int, said: str
) -> None:
    result = voeflow("events", "show", stored, *words)
    assert result.exit_code == status
    assert said in result.output


def test_export_writes_what_is_kept_beside_an_event(stored: Path, tmp_path: Path) -> None:
    for target, options in (("all", []), ("bare", ["--packets-only"]), ("e.tar", []), ("e.jsonl", [])):
        result = voeflow("events", "export", stored, "--to", tmp_path / target, *options)
        assert result.exit_code == 0, result.output
        assert "2 packets written" in result.output

    assert len(list((tmp_path / "all").iterdir())) == 4
    assert {file.suffix for file in (tmp_path / "bare").iterdir()} == {".xml"}
    (sky,) = (tmp_path / "all").glob("*.skymap.fits")
    assert sky.read_bytes() == SKY.content
    assert sky.with_name(sky.name.replace("skymap.fits", "xml")).exists()
    with tarfile.open(tmp_path / "e.tar") as archive:
        content = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]  # files only
    assert content[f"events/{sky.name}"] == SKY.content
    first = json.loads((tmp_path / "e.jsonl").read_text().splitlines()[0])
    assert base64.b64decode(first["attachments"][1].pop("raw")) == SKY.content
    assert first["attachments"][1] == {"name": "skymap.fits", "media_type": "application/fits", "bytes": 768}


# What there is


def test_mappings_are_listed_and_described(pipeline: Path) -> None:
    listed = voeflow("plugins")
    assert "mapping" in listed.output
    assert "Makes an event of each notice with an `id`." in listed.output
    told = voeflow("plugins", "gcn")
    assert told.exit_code == 0
    assert "gcn, a mapping from no distribution" in told.output
    assert "And says more about it here." in told.output
    assert "It is asked about notices of the topics gcn.*." in told.output
    assert "Did you mean 'gcn'?" in voeflow("plugins", "gnc").output
