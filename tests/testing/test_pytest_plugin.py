"""The pytest plugin costs nothing where it is not used, and works where voeflow's own tests are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_pytest(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(directory), *words],
        cwd=directory,
        env=os.environ | {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_a_run_that_uses_nothing_of_it_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_nothing_is_there(request):\n"
        "    assert request.config.pluginmanager.has_plugin('voeflow')\n"
        "    assert 'voeflow' not in sys.modules\n"
        "    assert 'lxml' not in sys.modules\n"
    )
    found = run_pytest(tmp_path, "-p", "no:trio", "-p", "no:hypothesispytest", "-p", "no:anyio")

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow
def test_a_fixture_of_a_user_goes_before_ours_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef node():\n    return 'of mine'\n"
    )
    (tmp_path / "test_mine.py").write_text(
        "def test_it(node, make_event):\n    assert node == 'of mine'\n    assert make_event().valid\n"
    )
    found = run_pytest(tmp_path)

    assert found.returncode == 0, found.stdout + found.stderr
