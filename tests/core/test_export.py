from __future__ import annotations

import base64
import io
import json
import os
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.stored import new_event
from voeflow._export import exporter
from voeflow._store_records import StoredEvent


def stored(number: int, raw: bytes | None = None, ivorn: str | None = None) -> StoredEvent:
    event = new_event(number, raw=raw, ivorn=ivorn, received=1_700_000_000.5 + number)
    return StoredEvent(**attrs.asdict(event), seq=number)


def facts(event: StoredEvent) -> dict[str, Any]:
    return {"ivorn": event.ivorn}


def write(target: Path, events: list[StoredEvent], *, force: bool = False) -> None:
    with exporter(target, force=force, facts=facts) as add:
        for event in events:
            add(event)


PACKETS = [b"", b"x", bytes(range(256)) * 2, b"<a/>" * 5000, b"y" * 512]


def test_a_directory_has_a_file_for_each_packet(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", [stored(n, raw) for n, raw in enumerate(PACKETS)])
    files = sorted((tmp_path / "a" / "b").iterdir())
    assert sorted(file.read_bytes() for file in files) == sorted(PACKETS)


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz", "X.TAR"])
def test_an_archive_has_the_packets_in_order_with_their_times(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, [stored(n, raw) for n, raw in enumerate(PACKETS)])
    with tarfile.open(tmp_path / name) as archive:
        members = archive.getmembers()
        found = [archive.extractfile(member) for member in members]
        assert [file.read() for file in found if file] == PACKETS
    assert [member.mtime for member in members] == [1_700_000_000 + n for n in range(len(PACKETS))]
    assert all(member.isfile() and member.name.startswith("events/obspm.gepi_svom_") for member in members)
    assert [file.name for file in tmp_path.iterdir()] == [name]


@settings(max_examples=50)
@given(packets=st.lists(st.binary(max_size=2000), max_size=30), ivorns=st.text(max_size=300))
def test_an_archive_is_one_that_others_can_read(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes], ivorns: str
) -> None:
    path = tmp_path_factory.mktemp("tar") / "x.tar"
    write(path, [stored(n, raw, ivorns) for n, raw in enumerate(packets)])
    assert path.stat().st_size % 10240 == 0
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes()), ignore_zeros=False) as archive:
        found = [archive.extractfile(member) for member in archive.getmembers()]
        assert [file.read() for file in found if file] == packets
        names = archive.getnames()
    assert all(os.path.normpath(name).startswith("events/") and name.count("/") == 1 for name in names)


def test_lines_hold_the_facts_and_the_packet(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [stored(n, raw, "ivo://a/b#é\n") for n, raw in enumerate(PACKETS)])
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_bytes().split(b"\n")[:-1]]
    assert [base64.b64decode(row["raw"]) for row in rows] == PACKETS
    assert {row["ivorn"] for row in rows} == {"ivo://a/b#é\n"}


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.jsonl"])
def test_a_file_is_whole_or_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):  # noqa: SIM117, PT012 - what is written before is the matter
        with exporter(tmp_path / name, force=False, facts=facts) as add:
            add(stored(1))
            assert not (tmp_path / name).exists()
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.tar", "x.jsonl"])
def test_a_file_that_is_there_stays_unless_forced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match="--force"):
        write(tmp_path / name, [stored(1)])
    assert (tmp_path / name).read_text() == "mine"
    write(tmp_path / name, [stored(1)], force=True)
    assert (tmp_path / name).read_bytes() != b"mine"


def test_a_file_that_came_up_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with pytest.raises(FileExistsError):  # noqa: SIM117, PT012 - the end of the block is the matter
        with exporter(path, force=False, facts=facts) as add:
            add(stored(1))
            path.write_text("mine")
    assert path.read_text() == "mine"


def test_an_export_to_a_directory_can_be_gone_on_with(tmp_path: Path) -> None:
    write(tmp_path / "out", [stored(1)])
    write(tmp_path / "out", [stored(1), stored(2)])
    assert len(list((tmp_path / "out").iterdir())) == 2
    (first, _) = sorted((tmp_path / "out").iterdir())
    first.write_text("changed")
    with pytest.raises(FileExistsError):
        write(tmp_path / "out", [stored(1), stored(2)])
    assert first.read_text() == "changed"
    write(tmp_path / "out", [stored(1), stored(2)], force=True)
    assert first.read_bytes().startswith(b"<packet")


@pytest.mark.parametrize("name", ["x.zip", "x.gz", "x.json", "x.xml"])
def test_a_name_that_is_neither_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.tar, \.tar\.gz or \.jsonl"):
        exporter(tmp_path / name, force=False, facts=facts)
    (tmp_path / name).mkdir()
    write(tmp_path / name, [stored(1)])  # a directory that is there is one, whatever its name


def test_much_takes_little_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        for name in ("x.tar", "x.jsonl"):
            with exporter(tmp_path / name, force=False, facts=facts) as add:
                for number in range(3000):
                    add(stored(number, bytes(10_000)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
