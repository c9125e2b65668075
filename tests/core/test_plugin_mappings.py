"""Mappings that distributions offer: found, judged, told apart, and asked in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

import voeflow
from voeflow._mapping_plugins import MappingPlugin, in_order, to_ask
from voeflow._pipeline import load_pipeline
from voeflow._plugins import Plugins, load_plugins


class Gcn:
    topics: Any = ("gcn.*", "igwn.gwalert")

    def map(self, notice: object, earlier: object) -> None: ...


def offered(mappings: Any, *more: Any) -> Plugins:
    class Plugin:
        def __init__(self, mappings: Any) -> None:
            self.mappings = mappings

        @voeflow.hookimpl
        def register_mappings(self) -> Any:
            return self.mappings

    return load_plugins([Plugin(each) for each in (mappings, *more)])


def names(plugins: Plugins) -> list[str]:
    return [each.name for each in plugins.mappings if each.distribution == "no distribution"]


def test_a_mapping_is_found_with_its_distribution() -> None:
    mapping = Gcn()
    plugins = offered({"site": mapping})
    assert not plugins.failed
    assert plugins.mappings[0] == MappingPlugin("site", mapping, "no distribution", "Plugin")


def test_those_of_other_distributions_come_before_the_built_in_ones() -> None:
    plugins = [
        MappingPlugin(name, Gcn(), distribution, "mappings")
        for name, distribution in (
            ("a", "voeflow 0.1.0"),
            ("d", "voeflow-lsst 2.0"),
            ("c", "site 1.0"),
            ("b", "voeflow 0.1.0"),
        )
    ]
    assert [each.name for each in in_order(plugins)] == ["c", "d", "a", "b"]


def test_only_those_whose_topics_fit_are_asked_unless_one_is_named() -> None:
    plugins = [MappingPlugin("gcn", Gcn(), "site 1.0", "mappings")]
    for topic, fits in (("gcn.notices.x", True), ("igwn.gwalert", True), ("GCN.x", False), ("", False)):
        assert bool(to_ask(plugins, topic, "")) is fits
        assert to_ask(plugins, topic, "gcn") == plugins
    with pytest.raises(LookupError, match="there is no mapping 'x'; installed: gcn"):
        to_ask(plugins, "igwn.gwalert", "x")
    with pytest.raises(LookupError, match="there is no mapping 'x'; installed: none"):
        to_ask([], "igwn.gwalert", "x")


class NoMap:
    topics = ("a",)


class AsyncMap(Gcn):
    async def map(self, notice: object, earlier: object) -> None: ...  # type: ignore[override]  # the mistake


class OneTopic(Gcn):
    topics = "gcn.*"


class NoTopics(Gcn):
    topics = ()


class NumberedTopics(Gcn):
    topics = (1,)


@pytest.mark.parametrize(
    ("name", "mapping", "reason"),
    [
        ("a b", Gcn(), "cannot name a mapping: write letters, digits"),
        (1, Gcn(), "cannot name a mapping"),
        ("site", Gcn, r"must be an object, got the class Gcn: write Gcn\(\)"),
        ("site", NoMap(), "has no map: write `def map"),
        ("site", AsyncMap(), "has a map that is async"),
        ("site", OneTopic(), r'has to say its topics, as topics = \("igwn.\*",\), got str'),
        ("site", NoTopics(), "has to say its topics"),
        ("site", NumberedTopics(), "has to say its topics"),
    ],
)
def test_what_is_no_mapping_is_told_and_the_others_stay(name: Any, mapping: Any, reason: str) -> None:
    plugins = offered({name: mapping, "good": Gcn()})
    assert names(plugins) == ["good"]
    (failure,) = plugins.failed
    assert failure.distribution == "no distribution"
    with pytest.raises(voeflow.PluginError, match=reason):
        raise failure


def test_a_hook_that_gives_no_dict_is_told() -> None:
    (failure,) = offered([Gcn()]).failed
    assert "register_mappings() must return a dict of mappings, got list" in failure.reason


def test_a_name_that_two_claim_is_nobodys() -> None:
    plugins = offered({"site": Gcn(), "mine": Gcn()}, {"site": Gcn()})
    assert names(plugins) == ["mine"]
    (failure,) = plugins.failed
    assert "the mapping site is claimed by no distribution (entry point Plugin) and no" in failure.reason


@attrs.frozen
class Listen:
    mapping: str = attrs.field(default="", metadata={"names": "mapping"})

    async def run(self, node: object, *, task_status: object) -> None: ...


@pytest.mark.parametrize(
    ("named", "mistake"),
    [
        ("site", ""),
        ("", ""),
        ("sites", 'transports.in.mapping: no mapping "sites" is installed (did you mean "site"?)'),
    ],
)
def test_a_pipeline_names_a_mapping_that_is_installed(tmp_path: Path, named: str, mistake: str) -> None:
    class Plugin:
        @voeflow.hookimpl
        def register_mappings(self) -> dict[str, Any]:
            return {"site": Gcn()}

        @voeflow.hookimpl
        def register_transports(self) -> dict[str, type]:
            return {"listen": Listen}

    path = tmp_path / "pipeline.toml"
    path.write_text(f'[transports.in]\nplugin = "listen"\nmapping = "{named}"\n')
    told: list[str] = []
    try:
        load_pipeline(path, load_plugins([Plugin()]), {})
    except voeflow.PipelineError as error:
        told += map(str, error.mistakes)
    assert told == ([mistake] if mistake else [])
