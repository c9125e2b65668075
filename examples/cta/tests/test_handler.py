"""What the handler writes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from made import packet
from voeflow_cta import ObservationWindow

import voeflow

AT = "2026-12-10T02:05Z"


def told(folder: Path, *events: voeflow.Event, plot: bool = False) -> list[dict[str, object]]:
    """Hand events over and read what holds for each trigger."""
    handler = ObservationWindow(directory=folder, now=AT, plot=plot)
    handler.start()
    for event in events:
        handler.handle(event)
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/now.json"))]


def test_packet_window_and_picture_lie_side_by_side(tmp_path: Path) -> None:
    event = packet(1)
    told(tmp_path, event, plot=True)
    (folder,) = tmp_path.iterdir()
    names = {path.suffix: path for path in folder.iterdir() if path.name != "now.json"}
    assert {path.stem for path in names.values()} == {f"20261210T015820.{event.digest.hex()[:16]}"}
    assert names[".xml"].read_bytes() == event.raw
    assert names[".png"].read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    facts = json.loads(names[".json"].read_text())
    assert facts["window"] == ["2026-12-10T02:05+00:00", "2026-12-10T05:59+00:00"]
    assert facts["reason"] == "zenith angle 10 to 60 deg from 02:05 to 05:59 UTC"
    assert stat.S_IMODE(names[".xml"].stat().st_mode) == 0o640


def test_the_latest_event_of_a_trigger_is_what_holds_in_whatever_order_they_come(tmp_path: Path) -> None:
    for number, order in enumerate([(1, 8), (8, 1), (1, 8, 1)]):
        (now,) = told(tmp_path / str(number), *map(packet, order))
        assert (now["state"], now["ivorn"], now["error"], now["events"]) == (
            "standing",
            "ivo://org.example/bursts#burst_4711-refined",
            0.02,
            2,
        )


def test_a_retraction_holds_in_whatever_order_it_comes(tmp_path: Path) -> None:
    for number, order in enumerate([(1, 8, 6), (6, 1, 8), (8, 6, 1)]):
        (now,) = told(tmp_path / str(number), *map(packet, order))
        assert now == {"state": "retracted", "by": "ivo://org.example/bursts#burst_4711-retraction"}


def test_what_cannot_be_observed_is_written_with_the_reason(tmp_path: Path) -> None:
    (now,) = told(tmp_path, packet(2), plot=True)
    assert (now["observable"], now["window"]) == (False, None)
    assert now["reason"] == "never within 60 deg of the zenith, 97 deg at best"
    assert list(tmp_path.glob("*/*.png"))


def test_an_event_without_a_position_is_written_without_a_picture(tmp_path: Path) -> None:
    (now,) = told(tmp_path, packet(1, ("Position2D", "PositionElsewhere")), plot=True)
    assert (now["observable"], now["reason"]) == (False, "no position")
    assert not list(tmp_path.glob("*/*.png"))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b", ".", "", "x" * 5000, "\u202e\x85evil", "$(reboot)"]
)
def test_a_trigger_s_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "windows"
    told(directory, packet(1, ('value="burst_4711"', f'value="{name}"')))
    assert [path.name for path in tmp_path.iterdir()] == ["windows"]
    (folder,) = directory.iterdir()
    assert set(folder.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
    assert len(folder.name) < 80
    assert not folder.name.startswith(".")


def test_two_triggers_never_share_a_folder(tmp_path: Path) -> None:
    told(tmp_path, packet(1), packet(1, ('value="burst_4711"', 'value="burst/4711"')))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_directory_that_cannot_be_made_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        ObservationWindow(directory=tmp_path / "file" / "windows").start()
