"""Plugins that say where their classes are, so that these are imported only when a pipeline names them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import voeflow
from voeflow._lookup import find_plugin
from voeflow._plugins import load_plugins

SOURCE = """
import attrs

@attrs.frozen
class Far:
    def matches(self, event):
        return True

class Bare:
    pass
"""

BROKEN = "raise RuntimeError('no telescope is attached')"


@attrs.frozen
class Near:
    def matches(self, event: object) -> bool:
        return True


class Site:
    """Offers filters by where they are, and one as it is."""

    @voeflow.hookimpl
    def register_filters(self) -> dict[str, type | str]:
        return {
            "bare": "site_sky:Bare",
            "broken": "site_broken:Far",
            "far": "site_sky:Far",
            "missing": "site_sky:Near",
            "near": Near,
            "nowhere": "site_sky",
        }


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site_sky.py").write_text(SOURCE)
    (tmp_path / "site_broken.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("site_sky", "site_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_class_is_imported_when_it_is_asked_for() -> None:
    plugins = load_plugins([Site()], lazily=True)
    assert not plugins.failed
    assert "site_sky" not in sys.modules
    assert {"bare", "broken", "far", "near"} <= set(plugins.filters)
    assert plugins.filters["far"].cls.__name__ == "Far"
    assert plugins.filters["far"] is plugins.filters["far"]
    assert "site_broken" not in sys.modules


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bare", "no attrs class"),
        ("broken", "site_broken:Far cannot be imported: RuntimeError: no telescope is attached"),
        ("missing", "site_sky:Near cannot be imported: AttributeError"),
        ("nowhere", "package.module:Class"),
    ],
)
def test_one_that_cannot_be_used_is_told_to_who_names_it(name: str, reason: str) -> None:
    plugins = load_plugins([Site()], lazily=True)
    mistake = find_plugin("filter", "filters.sky", {"plugin": name}, plugins)
    assert isinstance(mistake, voeflow.Mistake)
    assert f"the plugin {name!r} of no distribution cannot be used" in str(mistake).replace('"', "'")
    assert reason in str(mistake)
    assert name not in plugins.filters
    assert [each.plugin for each in plugins.failed] == [name]
    assert "far" in plugins.filters


def test_all_are_imported_and_told_where_all_are_to_be_seen() -> None:
    plugins = load_plugins([Site()])
    assert {"far", "near"} <= set(plugins.filters)
    assert {each.plugin for each in plugins.failed} == {"bare", "broken", "missing", "nowhere"}
    assert not {"bare", "broken", "missing", "nowhere"} & set(plugins.filters)


def test_a_name_that_is_claimed_twice_is_nobodys_wherever_the_classes_are() -> None:
    class Other:
        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type | str]:
            return {"far": Near, "near": "site_sky:Far"}

    plugins = load_plugins([Site(), Other()], lazily=True)
    assert {each.plugin for each in plugins.failed} == {"far", "near"}
    assert not {"far", "near"} & set(plugins.filters)


def test_a_node_imports_nothing_that_its_pipeline_does_not_name(tmp_path: Path) -> None:
    pipeline = tmp_path / "pipeline.toml"
    pipeline.write_text(
        'ivoid = "ivo://a.b/c"\n[transports.authors]\nplugin = "vtp-receive"\n'
        '[transports.public]\nplugin = "vtp-broadcast"\n'
    )
    program = (
        "import sys; from voeflow._command import main\n"
        f"main(['check', {str(pipeline)!r}], standalone_mode=False)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"voeflow_transports.vtp.receive", "voeflow_transports.vtp.broadcast"} <= {*done.stdout.split()}
    for name in (
        "cattrs",
        "confluent_kafka",
        "difflib",
        "importlib.metadata",
        "pysequoia",
        "rich",
        "smtplib",
        "voeflow._compose",
        "voeflow._expectations",
        "voeflow.testing",
        "voeflow_filters.cone",
        "voeflow_mappings.igwn",
        "voeflow_transports.vtp._asking",
        "voeflow_transports.vtp._judge",
    ):
        assert name not in done.stdout.split()


def test_structlog_imports_nothing_that_happens_to_be_installed(tmp_path: Path) -> None:
    for name in ("better_exceptions", "rich", "twisted"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    program = (
        "from voeflow._command._structlog import import_structlog as f; f(); import structlog; print('here')"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout == "here\n"


def test_what_structlog_was_not_given_is_there_for_whoever_wants_it() -> None:
    program = (
        "from voeflow._command._structlog import import_structlog; import_structlog()\n"
        "import sys; assert 'asyncio' not in sys.modules\n"
        "import structlog; running = structlog.stdlib.asyncio.get_running_loop\n"
        "import asyncio, rich.console; assert running is asyncio.get_running_loop; print('there')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "there\n"
