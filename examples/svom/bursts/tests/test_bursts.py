"""A burst's story told in every order, with failures in between: the telescope is sent once, or never."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest
import trio
from voeflow_bursts import PointOnce

import voeflow

PACKETS = {path.name[:2]: path for path in sorted((Path(__file__).parents[2] / "packets").glob("*.xml"))}
NOON = voeflow.parse_utc("2026-11-24T12:00:00Z")
assert NOON is not None
NOW = NOON.timestamp()
PATIENCE = 120.0


def event(number: str) -> voeflow.Event:
    return voeflow.Event.parse(PACKETS[number].read_bytes(), received=NOON)


TRIGGER, FIRST, REFINED, RETRACTION = (event(number) for number in ("01", "02", "03", "04"))


class Site:
    """The handler, with commands that write down that they were run."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.told = folder / "told"
        for name in ("point", "cancel"):
            script = folder / f"{name}.sh"
            script.write_text(
                f'#!/bin/sh\necho {name} "$BURST_NAME" "${{BURST_RA:-}}" "${{BURST_TRY}}" >> told\n'
                f"test ! -e {name}.broken\n"
            )
            script.chmod(0o755)
        self.options = options
        self.restart()

    def restart(self) -> None:
        self.handler = PointOnce(
            command=("./point.sh",),
            cancel=("./cancel.sh",),
            state=self.folder / "bursts.db",
            directory=self.folder,
            **self.options,  # type: ignore[arg-type]
        )
        self.handler.start()

    def hand(self, given: voeflow.Event, after: float = 0.0) -> str:
        """Hand an event over; say what came of it."""
        try:
            trio.run(self.handler.handle_at, given, NOW + after)
        except voeflow.Later as later:
            return f"later {later.seconds:g}"
        except Exception as error:  # noqa: BLE001 - whatever it is, the node would log it and try again
            return str(error)
        return "done"

    @property
    def runs(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_position_that_is_good_enough_is_pointed_to_at_once_and_the_first_waits_for_it(site: Site) -> None:
    assert site.hand(TRIGGER) == "done"
    assert site.hand(FIRST) == "later 120"
    assert site.runs == []
    assert site.hand(REFINED, 30) == "done"
    assert site.hand(FIRST, PATIENCE) == "done"
    assert site.runs == ["point sb26112401 83.6402 1"]


def test_where_nothing_better_comes_the_first_is_pointed_to_when_patience_is_over(site: Site) -> None:
    assert site.hand(FIRST) == "later 120"
    assert site.hand(FIRST, PATIENCE) == "done"
    assert site.hand(REFINED, PATIENCE + 1) == "done"
    assert site.runs == ["point sb26112401 83.6331 1"]


def test_a_burst_retracted_in_time_is_never_pointed_to_in_whatever_order_that_is_learnt(
    tmp_path: Path,
) -> None:
    for number, order in enumerate(itertools.permutations([FIRST, REFINED, RETRACTION])):
        if order[-1] is RETRACTION or order[0] is REFINED:
            continue  # then it was pointed to before
        folder = tmp_path / str(number)
        folder.mkdir()
        site = Site(folder)
        for each in order:
            site.hand(each)
        for each in order:
            assert site.hand(each, 2 * PATIENCE) == "done"
        assert site.runs == []


def test_a_retraction_after_the_pointing_calls_it_off_once(site: Site) -> None:
    for _ in range(2):
        for each in (FIRST, REFINED, RETRACTION):
            site.hand(each, PATIENCE)
    assert site.runs == ["point sb26112401 83.6331 1", "cancel sb26112401  1"]


def test_a_retraction_that_names_no_burst_is_known_by_what_it_cites(site: Site) -> None:
    site.hand(REFINED)
    nameless = voeflow.Event.parse(RETRACTION.raw.replace(b'name="Burst_Id"', b'name="Other"'))
    assert site.hand(nameless) == "done"
    assert [run.split()[0] for run in site.runs] == ["point", "cancel"]


def test_a_command_that_fails_is_run_again_with_the_next_try(site: Site) -> None:
    broken = site.folder / "point.broken"
    broken.touch()
    assert site.hand(REFINED) == "./point.sh ended with 1: "
    broken.unlink()
    site.restart()
    assert site.hand(REFINED) == "done"
    assert site.hand(REFINED) == "done"
    assert site.runs == ["point sb26112401 83.6402 1", "point sb26112401 83.6402 2"]


def test_whatever_is_repeated_reordered_or_restarted_it_is_pointed_to_at_most_once(tmp_path: Path) -> None:
    for seed in range(6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        site, chance = Site(folder), random.Random(seed)
        story = [TRIGGER, FIRST, REFINED, RETRACTION] * 2
        chance.shuffle(story)
        for n, each in enumerate(story):
            site.hand(each, n * 40)
            if chance.random() < 0.3:
                site.restart()
        runs = [run.split()[0] for run in site.runs]
        assert runs in ([], ["point"], ["point", "cancel"])


def test_positions_of_no_use_move_nothing(site: Site) -> None:
    poor = FIRST.raw.replace(b"<Error2Radius>0.13", b"<Error2Radius>5")
    unknown = FIRST.raw.replace(b"<Error2Radius>0.13", b"<Error2Radius>-1")
    for raw in (poor, unknown):
        assert site.hand(voeflow.Event.parse(raw), 2 * PATIENCE) == "done"
    assert site.runs == []


def test_a_rehearsal_and_another_author_s_burst_are_other_bursts(site: Site) -> None:
    real = REFINED.raw.replace(b'role="test"', b'role="observation"')
    theirs = REFINED.raw.replace(b"<AuthorIVORN>ivo://obspm.gepi/svom", b"<AuthorIVORN>ivo://a.bc/d")
    for n, raw in enumerate((REFINED.raw, real, theirs)):
        assert site.hand(voeflow.Event.parse(raw.replace(b"mxt-refined", b"mxt-%d" % n))) == "done"
    assert len(site.runs) == 3


def test_a_file_that_is_no_state_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "bursts.db").write_text("something else, long enough to be looked at as a database" * 20)
    with pytest.raises(ValueError, match=r"cannot keep what is known of bursts in .*bursts.db"):
        Site(tmp_path)


def test_the_example_s_own_commands_can_be_run() -> None:
    folder = Path(__file__).parents[1]
    for name in ("point.sh", "cancel.sh"):
        assert os.access(folder / name, os.X_OK)
