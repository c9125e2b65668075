from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import voeflow
from support.samples import voevent
from voeflow_handlers.save import Save


def parsed(raw: bytes | None = None, received: datetime | None = None) -> voeflow.Event:
    return voeflow.Event.parse(voevent() if raw is None else raw, received=received)


def files(directory: Path) -> list[Path]:
    return sorted(path.relative_to(directory) for path in directory.rglob("*") if not path.is_dir())


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_the_bytes_are_what_was_received(tmp_path: Path) -> None:
    raw = voevent(ivorn="ivo://caf\u00e9.example/s#1").decode().replace("UTF-8", "ISO-8859-1")
    event = parsed(raw.encode("latin-1") + b"<!-- signature -->\r\n")
    Save(tmp_path).handle(event)
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == event.raw
    assert file.name == f"caf_.example_s_1.{event.digest.hex()}.xml"


def test_the_same_event_again_is_the_same_file(tmp_path: Path) -> None:
    for _ in range(2):
        Save(tmp_path).handle(parsed())
    assert len(files(tmp_path)) == 1


def test_the_same_ivorn_with_another_element_is_another_file(tmp_path: Path) -> None:
    save = Save(tmp_path)
    for version in ("1.1", "2.0"):
        save.handle(parsed(voevent(version=version)))
    assert len(files(tmp_path)) == 2


def test_an_ivorn_cannot_steer_outside_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "events"
    for by in (None, "author", "date"):
        save = Save(directory, by=by)
        save.handle(parsed(voevent(ivorn="ivo://../../../x#/../..", author="ivo://../..")))
    assert len(files(directory)) == 3
    assert files(tmp_path) == [Path("events") / name for name in files(directory)]


def test_by_date_is_the_day_of_arrival_in_utc(tmp_path: Path) -> None:
    late = datetime(2026, 11, 24, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    Save(tmp_path, by="date").handle(parsed(received=late))
    assert [file.parent for file in files(tmp_path)] == [Path("2026/11/25")]


def test_by_author_is_a_folder_an_author(tmp_path: Path) -> None:
    save = Save(tmp_path, by="author")
    save.handle(parsed())
    save.handle(parsed(voevent(body="<What/>")))
    assert [str(file.parent) for file in files(tmp_path)] == ["+unknown", "obspm.gepi_svom"]


@pytest.mark.usefixtures("loose_umask")
def test_files_and_folders_are_not_for_the_world(tmp_path: Path) -> None:
    save = Save(tmp_path / "a" / "events")
    save.start()
    save.handle(parsed())
    (file,) = save.directory.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(save.directory.stat().st_mode) == 0o750
    assert stat.S_IMODE(save.directory.parent.stat().st_mode) == 0o750


def test_folders_have_the_mode_asked_for(tmp_path: Path) -> None:
    Save(tmp_path / "a" / "b", folder_mode="700").handle(parsed())
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in tmp_path.rglob("[ab]")] == [0o700, 0o700]
    with pytest.raises(ValueError, match="permissions in octal"):
        Save(tmp_path, folder_mode="650")


def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    Save(tmp_path, mode="664").handle(parsed())
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o664


@pytest.mark.parametrize("mode", ["040", "4640", "0o640", "rw-r-----", "6640", ""])
def test_a_mode_that_is_no_octal_permission_is_a_mistake(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ValueError, match="octal"):
        Save(tmp_path, mode=mode)


def test_an_unknown_sub_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="date"):
        Save(tmp_path, by="day")  # type: ignore[arg-type]  # on purpose


def test_start_makes_the_directory_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    Save(tmp_path / "a" / "b").start()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_directory_that_cannot_be_made_is_named_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "events"):
        with pytest.raises(OSError, match="cannot write to the directory") as told:
            Save(directory).start()
        assert str(told.value) == (
            f"cannot write to the directory {directory}: {tmp_path / 'file'} is no directory"
            " (move it away, or name another directory)"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_named_at_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=f"cannot write to the directory {tmp_path}: Permission denied"):
        Save(tmp_path).start()


def test_what_an_interrupted_node_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    today = tmp_path / "2026" / "11" / "24"
    today.mkdir(parents=True)
    kept = [".voeflow-notes", "events.tmp", "other.xml", ".voeflow-dir.tmp/x"]
    for folder in (tmp_path, today):
        (folder / ".voeflow-dir.tmp").mkdir()
        for name in (*kept, ".voeflow-0123456789abcdef.tmp"):
            (folder / name).write_text("")
        (folder / ".voeflow-link.tmp").symlink_to("other.xml")
    save = Save(tmp_path, by="date")
    save.start()
    save.handle(parsed(received=datetime(2026, 11, 24, tzinfo=UTC)))
    for folder in (tmp_path, today):
        assert not (folder / ".voeflow-0123456789abcdef.tmp").exists()
        assert all((folder / name).exists() for name in kept)
        assert (folder / ".voeflow-link.tmp").is_symlink()


def test_a_file_that_another_node_is_writing_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / ".voeflow-0123456789abcdef.tmp"
    with other.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Save(tmp_path).start()
        assert other.exists()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    save = Save(tmp_path)
    save.start()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save.handle(parsed())
    assert files(tmp_path) == []


def test_the_file_is_on_disk_before_its_name_and_the_name_before_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        named = any(tmp_path.rglob("*.xml"))
        seen.append(f"{'folder' if os.path.isdir(path) else 'file'} {'after' if named else 'before'}")
        fsync(descriptor)

    save = Save(tmp_path, by="date")
    monkeypatch.setattr(os, "fsync", watched)
    save.handle(parsed())
    assert seen[:3] == ["folder before"] * 3  # year, month and day are new
    assert seen[3:] == ["file before", "folder after"]


def test_a_directory_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    save = Save(tmp_path / "events")
    save.start()
    (tmp_path / "events").rmdir()
    save.handle(parsed())
    assert len(files(tmp_path / "events")) == 1


def test_many_at_once_are_all_saved(tmp_path: Path) -> None:
    save = Save(tmp_path, by="date")
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)  # else midnight may come in between
    events = [parsed(voevent(ivorn=f"ivo://a.example/s#{n % 20}"), noon) for n in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save.handle, events))
    assert len(files(tmp_path)) == 20


def test_a_file_swept_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that a reload has just started may sweep what the old one has created and not locked yet."""
    lock, swept = fcntl.flock, []

    def sweep_first(descriptor: int, operation: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            for path in swept:
                path.unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    Save(tmp_path).handle(parsed())

    assert len(swept) == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [voevent()]


NOTICE = voeflow.Attachment("notice.json", "application/json", b'{"id": 1}')
SKY = voeflow.Attachment("skymap.fits", "application/fits", bytes(range(256)))


def test_attachments_are_saved_beside_the_packet_if_asked_for(tmp_path: Path) -> None:
    event = voeflow.Event.parse(voevent(), attachments=(NOTICE, SKY))
    Save(tmp_path / "alone").handle(event)
    Save(tmp_path / "all", attachments=True, mode="600").handle(event)

    stem = f"obspm.gepi_svom_trigger-1.{event.digest.hex()}"
    assert files(tmp_path / "alone") == [Path(f"{stem}.xml")]
    assert files(tmp_path / "all") == [Path(f"{stem}.{end}") for end in ("notice.json", "skymap.fits", "xml")]
    assert (tmp_path / "all" / f"{stem}.notice.json").read_bytes() == NOTICE.content
    assert (tmp_path / "all" / f"{stem}.skymap.fits").read_bytes() == SKY.content
    assert stat.S_IMODE((tmp_path / "all" / f"{stem}.skymap.fits").stat().st_mode) == 0o600


def test_a_packet_is_not_there_before_its_attachments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fail_on_sky(path: Path, target: Path) -> Path:
        if target.name.endswith(".fits"):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_on_sky)
    with pytest.raises(OSError, match="No space left"):
        Save(tmp_path, attachments=True).handle(voeflow.Event.parse(voevent(), attachments=(NOTICE, SKY)))
    assert [file.suffix for file in files(tmp_path)] == [".json"]
