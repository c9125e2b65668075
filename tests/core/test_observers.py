from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

import voeflow
from voeflow import _hookspecs
from voeflow._observers import OBSERVING
from voeflow._plugins import load_plugins


class Listener:
    def __init__(self) -> None:
        self.heard: list[object] = []

    @voeflow.hookimpl
    def node_started(self, ivoid: str, pipeline: Path) -> None:
        self.heard.append((ivoid, pipeline))

    @voeflow.hookimpl
    def event_refused(self, reason: str) -> None:
        self.heard.append(reason)


class Broken:
    @voeflow.hookimpl
    def node_started(self) -> None:
        raise RuntimeError("no\nluck")


def test_every_hook_but_the_registering_ones_observes() -> None:
    hooks = {name for name, each in vars(_hookspecs).items() if hasattr(each, "voeflow_spec")}
    assert set(OBSERVING) == {name for name in hooks if not name.startswith("register_")}


def test_an_observer_gets_those_facts_that_it_asks_for() -> None:
    listener = Listener()
    observers = load_plugins([listener]).observers
    observers.tell("node_started", ivoid="ivo://a.bc/d", pipeline=Path("p.toml"))
    observers.tell("event_refused", raw=b"?", reason="no XML", source="authors", ivorn=None)
    observers.tell("node_stopping")
    assert listener.heard == [("ivo://a.bc/d", Path("p.toml")), "no XML"]


def test_it_is_known_whether_anyone_observes_a_hook() -> None:
    observers = load_plugins([Listener()]).observers
    assert "event_refused" in observers
    assert "event_accepted" not in observers


def test_what_an_observer_raises_is_logged_and_stops_nobody() -> None:
    before, after = Listener(), Listener()
    observers = load_plugins([before, Broken(), after]).observers
    with capture_logs() as logged:
        observers.tell("node_started", ivoid="", pipeline=Path("p.toml"))
    assert before.heard == after.heard == [("", Path("p.toml"))]
    assert logged == [
        {
            "event": "a plugin's hook failed",
            "log_level": "warning",
            "hook": "node_started",
            "distribution": "no distribution",
            "reason": "RuntimeError: no\\nluck",
        }
    ]
