"""A distribution of somebody else's, installed with pip: its parts are used like our own, and fail alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from interop.processes import finish
from interop.stage import Node, Stage, contents, wait_for_contents
from interop.wire import submit
from support.samples import voevent

pytestmark = [pytest.mark.interop, pytest.mark.slow]

NAMED = "voeflow-beacon 1.2.3"

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "voeflow-beacon"
version = "1.2.3"

[project.entry-points.voeflow]
beacon = "voeflow_beacon"
"""

MODULE = '''\
"""Everything that a distribution can bring, each part able to fail."""

import os
from pathlib import Path
from typing import ClassVar

import attrs
import trio

import voeflow

if os.environ.get("BEACON_BROKEN"):
    raise RuntimeError("the beacon is dark")


@attrs.frozen
class Feed:
    """Submit every packet of a directory, in the order of their names."""

    directory: Path
    raises: bool = False

    async def run(self, node: voeflow.Node, *, task_status) -> None:
        task_status.started()
        for path in sorted(self.directory.glob("*.xml")):
            await node.submit(path.read_bytes(), peer=path.name)
        if self.raises:
            raise RuntimeError("the feed fell over")
        await trio.sleep_forever()


@attrs.frozen
class Lamp:
    """Carry events on into a directory."""

    sink: ClassVar[bool] = True
    directory: Path

    async def run(self, node: voeflow.Node, *, task_status) -> None:
        self.directory.mkdir()
        task_status.started()
        while True:
            for delivery in await node.take():
                (self.directory / f"{delivery.id}.xml").write_bytes(delivery.event.raw)
                delivery.done()


@attrs.frozen
class Loud:
    """Pass events whose signal is above a threshold."""

    threshold: float = 10.0
    raises: bool = False

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        if self.raises:
            raise ZeroDivisionError("the filter fell over")
        snr = event.xpath("number(//Param[@name='SNR']/@value)")
        return voeflow.Verdict(snr > self.threshold, f"SNR {snr}")


@attrs.frozen
class Note:
    """Write down what was seen."""

    directory: Path
    raises: bool = False

    def start(self) -> None:
        self.directory.mkdir(exist_ok=True)

    def handle(self, event: voeflow.Event) -> None:
        if self.raises:
            raise KeyError("the handler fell over")
        (self.directory / f"{event.digest.hex()}.xml").write_bytes(event.raw)


@voeflow.hookimpl
def register_transports():
    return {"beacon-feed": Feed, "beacon-lamp": Lamp}


@voeflow.hookimpl
def register_filters():
    return {"beacon-loud": Loud}


@voeflow.hookimpl
def register_handlers():
    return {"beacon-note": Note}
'''

PIPELINE = """\
ivoid = "ivo://org.example/voeflow"

[transports.feed]
plugin = "beacon-feed"
directory = "../packets"
raises = @FEED@

[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"

[filters.loud]
plugin = "beacon-loud"
raises = @FILTER@

[handlers.notes]
plugin = "beacon-note"
directory = "notes"
when = "loud"
raises = @HANDLER@
retries = 1
retry_wait = "0.1 s"

[transports.lamp]
plugin = "beacon-lamp"
directory = "lamp"

[handlers.archive]
plugin = "save"
directory = "events"
"""

LOUD = voevent("ivo://org.example/beacon#loud")
SOFT = voevent("ivo://org.example/beacon#soft").replace(b'name="SNR" value="12.5"', b'name="SNR" value="3"')


def pipeline(*, failing: str = "") -> str:
    text = PIPELINE
    for part in ("feed", "filter", "handler"):
        text = text.replace(f"@{part.upper()}@", str(part == failing).lower())
    return text


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Build the distribution and install it with pip, out of any index's reach; give what makes it seen."""
    source = tmp_path_factory.mktemp("voeflow-beacon")
    (source / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (source / "voeflow_beacon.py").write_text(MODULE, encoding="utf-8")
    target = tmp_path_factory.mktemp("installed")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    done = finish(
        [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", target, source], source
    )
    assert done.status == 0, done.err
    return {"PYTHONPATH": os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


@pytest.fixture
def packets(stage: Stage) -> Path:
    """Lay out what the distribution's transport submits."""
    room = stage.room("packets")
    (room / "1.xml").write_bytes(LOUD)
    (room / "2.xml").write_bytes(SOFT)
    return room


def see_that_it_lives(node: Node) -> None:
    """Submit one more event, and see it acknowledged, saved, and carried on by the sinks that are well."""
    another = voevent("ivo://org.example/beacon#another")
    assert submit(node.port("authors"), another) == "ack"
    room = node.directory
    wait_for_contents(room / "events", [LOUD, SOFT, another], node)
    wait_for_contents(room / "lamp", [LOUD, SOFT, another], node)


@pytest.mark.usefixtures("packets")
def test_its_transports_filter_and_handler_work_from_a_pipeline(
    stage: Stage, installed: dict[str, str]
) -> None:
    node = stage.node(pipeline(), environment=installed)
    see_that_it_lives(node)
    wait_for_contents(node.directory / "notes", [LOUD, voevent("ivo://org.example/beacon#another")], node)
    node.stop()
    assert SOFT not in contents(node.directory / "notes")


def test_the_command_tells_its_plugins_with_their_distribution(
    stage: Stage, installed: dict[str, str]
) -> None:
    told = stage.command("plugins", "beacon-loud", environment=installed)
    assert told.status == 0, told.err
    assert NAMED in told.out
    assert "Pass events whose signal is above a threshold." in told.out
    assert "threshold" in told.out


@pytest.mark.usefixtures("packets")
def test_a_filter_that_raises_takes_only_its_own_sinks_with_it(
    stage: Stage, installed: dict[str, str]
) -> None:
    node = stage.node(pipeline(failing="filter"), environment=installed)
    given_up = node.wait_until_told("delivery given up", number=2, sink="notes")
    for record in given_up:
        assert NAMED in str(record["reason"])
        assert "the filter fell over" in str(record["reason"])
    see_that_it_lives(node)
    node.stop()
    assert contents(node.directory / "notes") == []


@pytest.mark.usefixtures("packets")
def test_a_handler_that_raises_is_tried_again_then_given_up_and_holds_up_no_other(
    stage: Stage, installed: dict[str, str]
) -> None:
    node = stage.node(pipeline(failing="handler"), environment=installed)
    failed = node.wait_until_told("delivery failed", sink="notes")
    given_up = node.wait_until_told("delivery given up", sink="notes")
    for record in [*failed, *given_up]:
        assert NAMED in str(record["reason"])
        assert "the handler fell over" in str(record["reason"])
    see_that_it_lives(node)
    node.stop()


@pytest.mark.usefixtures("packets")
def test_a_transport_that_raises_is_started_again_while_the_others_go_on(
    stage: Stage, installed: dict[str, str]
) -> None:
    node = stage.node(pipeline(failing="feed"), environment=installed)
    (failed, *_) = node.wait_until_told("transport failed", transport="feed")
    assert NAMED in str(failed["plugin"])
    assert "the feed fell over" in str(failed["reason"])
    see_that_it_lives(node)
    node.wait_until_told("transport failed", number=2, transport="feed")
    node.stop()


def test_a_module_that_cannot_be_imported_leaves_other_pipelines_alone(
    stage: Stage, installed: dict[str, str]
) -> None:
    broken = {**installed, "BEACON_BROKEN": "1"}
    text = """\
ivoid = "ivo://org.example/voeflow"
[transports.authors]
plugin = "vtp-receive"
listen = "127.0.0.1:0"
[handlers.archive]
plugin = "save"
directory = "events"
"""
    node = stage.node(text, environment=broken)
    (warning, *_) = node.wait_for("the distribution's name", lambda line: NAMED in line)
    assert "the beacon is dark" in warning
    assert submit(node.port("authors"), LOUD) == "ack"
    wait_for_contents(node.directory / "events", [LOUD], node)
    node.stop()


def test_a_pipeline_that_needs_a_module_that_cannot_be_imported_is_told_whose_it_is(
    stage: Stage, installed: dict[str, str]
) -> None:
    (stage.directory / "pipeline.toml").write_text(pipeline(), encoding="utf-8")
    told = stage.command("check", "pipeline.toml", environment={**installed, "BEACON_BROKEN": "1"})
    assert told.status == 2
    (line,) = [line for line in told.err.splitlines() if "handlers.notes.plugin" in line]
    assert NAMED in line
    assert "the beacon is dark" in line
