"""Who uses what is to go is told: the plugin's author by a warning, the operator by a line."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import ModuleType

import attrs
import pytest
from click.testing import CliRunner, Result

import voeflow
import voeflow.testing
from voeflow._command import main
from voeflow._deprecation import noted
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins

PIPELINE = """
[transports.in]
plugin = "replay"
directory = "packets"
[filters.one]
plugin = "old"
[filters.two]
plugin = "old"
min_altitude = 30
[filters.three]
plugin = "old"
min_altitude = 40
"""


@attrs.frozen
class Old:
    min_altitude: float | None = None

    def __attrs_post_init__(self) -> None:
        if self.min_altitude is not None:
            text = f"min_altitude will go: write max_zenith = {90 - self.min_altitude:g}"
            warnings.warn(text, FutureWarning, stacklevel=2)
            warnings.warn(text, FutureWarning, stacklevel=2)

    def matches(self, event: voeflow.Event) -> bool:
        return True


class Plugin:
    @voeflow.hookimpl
    def register_filters(self) -> dict[str, type]:
        return {"old": Old}


def test_an_operator_is_told_once_for_each_table_that_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)

    assert load_pipeline(path, load_plugins([Plugin()]), {}).deprecations == (
        "filters.two: plugin old of no distribution: min_altitude will go: write max_zenith = 60",
        "filters.three: plugin old of no distribution: min_altitude will go: write max_zenith = 50",
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution that is installed, in a directory with a pipeline, and warns as it is imported, too."""
    (tmp_path / "voeflow_old.py").write_text(
        "import warnings, voeflow, deprecation_tests\n"
        "warnings.warn('old_name will go: write new_name', voeflow.VoeflowDeprecationWarning, stacklevel=2)\n"
        "@voeflow.hookimpl\n"
        "def register_filters():\n    return {'old': deprecation_tests.Old}\n"
    )
    info = tmp_path / "voeflow_old-1.4.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voeflow-old\nVersion: 1.4\n")
    (info / "entry_points.txt").write_text("[voeflow]\nold = voeflow_old\n")
    module = ModuleType("deprecation_tests")
    module.__dict__["Old"] = Old
    monkeypatch.setitem(sys.modules, "deprecation_tests", module)
    monkeypatch.delitem(sys.modules, "voeflow_old", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pipeline.toml").write_text(PIPELINE)
    return tmp_path / "pipeline.toml"


@pytest.mark.parametrize("words", [["check"], ["test"]])
def test_every_command_that_reads_the_pipeline_tells_it_and_goes_on(
    installed: Path, words: list[str]
) -> None:
    tests = '[[tests]]\nname = "x"\nevent = "a.xml"\nholds = "one"\n'
    installed.write_text(PIPELINE + tests)
    installed.with_name("a.xml").write_bytes(voeflow.testing.sample_packet("burst"))
    result: Result = CliRunner().invoke(main, [*words, str(installed)])

    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        "warning: plugin old of voeflow-old 1.4: old_name will go: write new_name",
        "warning: filters.two: plugin old of voeflow-old 1.4: min_altitude will go: write max_zenith = 60",
        "warning: filters.three: plugin old of voeflow-old 1.4: min_altitude will go: write max_zenith = 50",
    ]


def test_an_author_s_tests_see_it_as_a_warning() -> None:
    with pytest.warns(FutureWarning, match="max_zenith = 60"):
        Old(min_altitude=30)
    assert issubclass(voeflow.VoeflowDeprecationWarning, DeprecationWarning)


def test_other_warnings_go_their_usual_way() -> None:
    told: list[str] = []

    def both() -> None:
        with noted(told.append, FutureWarning):
            warnings.warn("odd", RuntimeWarning, stacklevel=1)
            warnings.warn("new\nline", FutureWarning, stacklevel=1)

    with pytest.warns(RuntimeWarning, match="odd"):
        both()
    assert told == ["new\\nline"]
