"""`voeflow new plugin` writes a distribution that is sound as it stands. tests/interop installs it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from voeflow._command import main


def new(directory: Path, name: str) -> Result:
    return CliRunner().invoke(main, ["new", "plugin", name, "--directory", str(directory)])


@pytest.fixture
def written(tmp_path: Path) -> Path:
    result = new(tmp_path, "my-site")
    assert result.exit_code == 0, result.output
    return tmp_path / "voeflow-my-site"


def test_everything_that_a_distribution_needs_is_there(written: Path) -> None:
    found = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()}

    package = "src/voeflow_my_site"
    assert found == {
        "pyproject.toml", "README.md", "LICENSE", ".gitignore", "pipeline.toml", "packets/burst.xml",
        f"{package}/__init__.py", f"{package}/filter.py", f"{package}/handler.py", f"{package}/transport.py",
        f"{package}/py.typed",
        "tests/test_filter.py", "tests/test_handler.py", "tests/test_transport.py", "tests/test_pipeline.py",
    }  # fmt: skip


def test_no_placeholder_is_left(written: Path) -> None:
    for path in written.rglob("*"):
        if path.is_file() and path.suffix != ".xml":
            assert "@" not in path.read_text().replace("@attrs.", "").replace("@voeflow.", ""), path


def test_its_entry_point_and_names_follow_from_the_name(written: Path) -> None:
    project = tomllib.loads((written / "pyproject.toml").read_text())["project"]

    assert project["name"] == "voeflow-my-site"
    assert project["entry-points"]["voeflow"] == {"my-site": "voeflow_my_site"}
    assert '"my-site-above"' in (written / "src/voeflow_my_site/__init__.py").read_text()


def test_it_is_clean_for_ruff(written: Path) -> None:
    for words in (
        ["format", "--check"],
        ["check", "--select", "A,ASYNC,B,D1,E,F,I,N,RUF,SIM,UP,W", "--per-file-ignores", "tests/*:D"],
    ):
        found = subprocess.run(
            [Path(sys.executable).parent / "ruff", *words, "--isolated", "--line-length=110", "."],
            cwd=written,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow
def test_its_types_hold(written: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", written / ".mypy", "src"],
        cwd=written,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_nothing_is_overwritten(written: Path) -> None:
    (written / "README.md").write_text("mine")
    result = new(written.parent, "my-site")

    assert result.exit_code == 1
    assert "is there already" in result.output
    assert (written / "README.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["voeflow-my-site", "my_site", "voeflow_my_site", "My-Site"])
def test_the_name_may_be_written_as_one_would(tmp_path: Path, name: str) -> None:
    assert new(tmp_path, name).exit_code == 0
    assert (tmp_path / "voeflow-my-site").is_dir()


@pytest.mark.parametrize(
    "name", ["", "9lives", "a/b", "../up", "my site", "-x", "a--b", "x" * 41, "été", "voeflow-"]
)
def test_a_name_that_is_none_is_told(tmp_path: Path, name: str) -> None:
    result = new(tmp_path, name)

    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["filters", "voeflow-handlers", "testing", "voeflow"])
def test_a_name_of_voeflow_s_own_is_refused(tmp_path: Path, name: str) -> None:
    result = new(tmp_path, name)

    assert result.exit_code == 2
    assert "choose another" in result.output


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(
        main, ["new", "plugin", "x", "--directory", str(tmp_path / "file" / "deeper")]
    )

    assert result.exit_code == 1
    assert "cannot be written" in result.output
