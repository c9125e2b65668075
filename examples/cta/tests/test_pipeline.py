"""The filter as voeflow uses it: installed, found by its entry point, named in a pipeline."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from made import EXAMPLE

VOEFLOW = Path(sysconfig.get_path("scripts")) / "voeflow"
PIPELINE = str(EXAMPLE / "pipeline.toml")
PACKETS = sorted(str(path) for path in EXAMPLE.glob("packets/*.xml"))


def voeflow(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VOEFLOW, *arguments],
        env=os.environ | environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_example_s_pipeline_has_no_mistakes() -> None:
    checked = voeflow("check", PIPELINE)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_dry_run_says_why_and_starts_the_telescope_for_the_burst_overhead_alone() -> None:
    tested = voeflow("test", PIPELINE, *PACKETS, CTA_NOW="2026-12-10T02:00Z")
    assert tested.returncode == 0
    lines = [line.split() for line in tested.stdout.splitlines()]
    assert [line[1] for line in lines if line[:1] == ["slew"]] == ["yes", *["no"] * 6, "yes", "no"]
    assert [line[1] for line in lines if line[:1] == ["archive"]] == ["yes"] * 9
    assert "zenith angle 9 to 60 deg from 02:00 to 05:59 UTC" in tested.stdout


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ({"CTA_SITE": "west"}, 'filters.observable.site: expected one of north, south, namibia, got "west"'),
        (
            {"CTA_NOW": "soon"},
            'filters.observable.now: expected a time such as "2026-12-10T02:00Z", got "soon"',
        ),
    ],
    ids=["site", "now"],
)
def test_a_mistake_in_an_option_is_told_with_its_table_and_key(variable: dict[str, str], told: str) -> None:
    checked = voeflow("check", PIPELINE, **variable)
    assert checked.returncode == 2
    assert told in checked.stderr


def test_the_filter_s_documentation_is_printed_with_its_options() -> None:
    shown = voeflow("plugins", "ctao-observable")
    assert shown.returncode == 0
    assert "voeflow-cta" in shown.stdout
    for option in ("site", "max_zenith", "sun_below", "max_wait", "min_duration", "max_error", "now"):
        assert option in shown.stdout


def test_the_readme_shows_what_the_commands_print() -> None:
    blocks = re.findall(r"```console\n\$ (.*)\n((?:.*\n)*?)```", (EXAMPLE / "README.md").read_text())
    assert blocks
    for command, shown in blocks:
        path = f"{VOEFLOW.parent}{os.pathsep}{os.environ['PATH']}"
        printed = subprocess.run(
            command,
            shell=True,
            cwd=EXAMPLE.parents[1],
            env=os.environ | {"COLUMNS": "200", "PATH": path},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
