"""Why a pipeline does with an event what it does: every filter, sink and part of a `when`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from voeflow._answers import Filters
from voeflow._command import main
from voeflow._entry import to_store
from voeflow._explain import Explanation, explain
from voeflow._matched import MAX_PLACES, matched
from voeflow._store import Store
from voeflow._watched import WatchedEvent
from voeflow._when import parse_when
from voeflow._xml import MAX_ATTRIBUTES
from voeflow.testing import make_event, sample_event, sample_packet
from voeflow.testing._node import read_pipeline

PIPELINE = """
[transports.in]
plugin = "replay"
directory = "packets"
[filters.test]
plugin = "role"
roles = ["test"]
[filters.near]
plugin = "cone"
ra = 83.6
dec = 22.0
radius = 1
[filters.loud]
plugin = "xpath"
expression = '//Param[@name="SNR" and @value > 10]'
[filters.many]
plugin = "xpath"
expression = "count(//Param) > 100"
[handlers.archive]
plugin = "save"
directory = "events"
[handlers.act]
plugin = "spawn"
command = ["true"]
when = "(near or many) and not test"
sources = ["in"]
"""


def explained(directory: Path, event: voeflow.Event, toml: str = PIPELINE, *plugins: object) -> Explanation:
    pipeline, _ = read_pipeline(toml, directory, plugins, {})
    return trio.run(explain, pipeline, event, Filters(pipeline.filters, 10.0))


def test_each_filter_is_told_with_what_it_looked_at_and_where_that_stands(tmp_path: Path) -> None:
    answers = {answer.name: answer for answer in explained(tmp_path, sample_event("burst")).filters}

    (role,) = answers["test"].looked_at
    assert (answers["test"].holds, role.fact, role.value) == (False, "role", "observation")
    assert [(place.path, place.line) for place in role.places] == [("/voe:VOEvent/@role", 4)]
    (position,) = answers["near"].looked_at
    assert position.value == "ra 83.633 deg, dec +22.0145 deg, error 0.05 deg"
    assert position.places[0].path.endswith("/AstroCoords/Position2D")
    assert answers["near"].reason == "0.0339 deg"


def test_of_xpath_it_is_told_what_matched(tmp_path: Path) -> None:
    answers = {answer.name: answer for answer in explained(tmp_path, sample_event("burst")).filters}

    (asked,) = answers["loud"].asked
    assert (asked.expression, asked.value) == ('//Param[@name="SNR" and @value > 10]', "1 node")
    (place,) = asked.places
    assert place.path == "/voe:VOEvent/What/Param[3]"
    assert 'name="SNR" value="12.5"' in place.value
    assert sample_packet("burst").splitlines()[place.line - 1].strip().startswith(b'<Param name="SNR"')
    assert answers["many"].asked[0].value == "false"


@pytest.mark.parametrize(
    ("expression", "value", "paths"),
    [
        ("//Param/@value", "4 nodes", "/voe:VOEvent/What/Param[1]/@value"),
        ("//AuthorIVORN/text()", "1 node", "/voe:VOEvent/Who/AuthorIVORN/text()"),
        ("string(//Param[@name='SNR']/@value)", "12.5", None),
        ("count(//Param)", "4", None),
        ("//Nothing", "no node", None),
        ("not(//Nothing)", "true", None),
        ("//comment()", "1 node", "/comment()"),
    ],
)
def test_what_an_expression_gave_and_where_that_stands(
    expression: str, value: str, paths: str | None
) -> None:
    found = matched(expression, sample_event("burst")._root)

    assert found.value == value
    assert [place.path for place in found.places[:1]] == ([paths] if paths else [])


def test_of_very_many_nodes_some_are_told_and_the_rest_is_counted() -> None:
    event = make_event(params={f"P{n}": n for n in range(50)})
    found = matched("//Param", event._root)

    assert len(found.places) == MAX_PLACES
    assert found.more == 50 - MAX_PLACES


def test_what_decides_a_sink_is_told_with_its_reason(tmp_path: Path) -> None:
    found = explained(tmp_path, sample_event("test"))
    archive, act = found.sinks

    assert (archive.gets, found.why(archive)) == (True, "it gets every event")
    assert (act.gets, found.why(act)) == (False, "test holds: role is test")
    found = explained(tmp_path, sample_event("burst"))
    assert found.why(found.sinks[1]) == "near holds: 0.0339 deg; test does not hold: role is observation"


def test_an_event_from_elsewhere_does_not_pass_sources(tmp_path: Path) -> None:
    toml = PIPELINE + '[transports.other]\nplugin = "replay"\ndirectory = "more"\n'
    found = explained(tmp_path, sample_event("burst", source="other"), toml)

    assert found.sinks[1].gets is False
    assert found.why(found.sinks[1]) == "it comes through other, not through in"


def test_a_filter_that_gives_no_answer_leaves_the_sink_open(tmp_path: Path) -> None:
    @attrs.frozen
    class Broken:
        def matches(self, event: voeflow.Event) -> bool:
            raise ZeroDivisionError(event.role)

    class Plugin:
        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type]:
            return {"broken": Broken}

    toml = PIPELINE.replace("(near or many)", "broken") + '[filters.broken]\nplugin = "broken"\n'
    found = explained(tmp_path, sample_event("burst"), toml, Plugin())

    assert found.sinks[1].gets is None
    assert "broken gave no answer: plugin broken of no distribution raised ZeroDivisionError" in found.why(
        found.sinks[1]
    )
    assert [each.fact for each in found.filters[-1].looked_at] == ["role"]


def test_a_watched_event_is_like_the_event_and_says_what_was_asked_of_it() -> None:
    event = make_event(
        params={"SNR": (12.5, "sigma"), "Id": 7},
        citations={"ivo://a/b#c": "retraction"},
        received="2026-12-20T01:00:00",
        source="authors",
    )
    watched = WatchedEvent.of(event)

    assert isinstance(watched, voeflow.Event)
    assert (watched.ivorn, watched.params["SNR"].number, watched.valid) == (event.ivorn, 12.5, True)
    assert watched.params.get("Nope") is None
    assert watched.citations == event.citations
    assert watched.received == event.received
    assert watched.position is None
    assert watched.digest == event.digest
    assert watched.raw == event.raw
    told = {each.fact: each.value for each in watched.seen}
    assert told['params["SNR"]'] == "12.5 sigma"
    assert told['params["Nope"]'] == "not there"
    assert told["citations"] == "retraction of ivo://a/b#c"
    assert told["received"] == "2026-12-20T01:00:00Z"
    assert (told["position"], told["valid"], told["raw"]) == ("unknown", "yes", "all of it")
    assert [p.number for p in watched.params] == [12.5, 7]
    assert "params" in {each.fact for each in watched.seen}
    with pytest.raises(KeyError, match="SNN"):
        watched.params["SNN"]


def test_a_bad_question_is_refused_as_by_any_event() -> None:
    watched = WatchedEvent.of(sample_event("burst"))

    with pytest.raises(ValueError, match="no XPath"):
        watched.xpath("//Param[")
    assert watched.asked == ()


def test_text_of_the_packet_is_shown_on_one_harmless_line() -> None:
    watched = WatchedEvent.of(sample_event("untrusted-text"))
    list(watched.params)
    assert watched.description
    watched.xpath("//Param")

    shown = [each.value for each in watched.seen]
    shown += [place.value for each in (*watched.seen, *watched.asked) for place in each.places]
    assert all(text.isprintable() and len(text) <= 200 for text in shown)


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c"]),
    lambda inner: (
        inner.map(lambda part: f"not ({part})")
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " and ".join(parts) + ")")
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " or ".join(parts) + ")")
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, st.fixed_dictionaries({name: st.booleans() for name in "abc"}))
def test_the_parts_of_an_expression_are_what_it_says_they_are(text: str, known: dict[str, bool]) -> None:
    when = parse_when(text)
    whole = when.explain(known)

    assert whole.value == when.decide(known)
    assert whole.decides

    def check(part: Any) -> None:
        assert part.value == parse_when(part.text).decide(known)
        for inner in part.parts:
            check(inner)

    check(whole)
    # the filters that decide it do so by themselves, whatever the others say
    deciding = {name: known[name] for name in whole.deciding()}
    assert deciding
    assert when.decide(deciding) == whole.value


def voeflow_explain(*words: object) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, words)])


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    return path


def test_the_command_tells_all_of_it(pipeline: Path) -> None:
    packet = pipeline.with_name("burst.xml")
    packet.write_bytes(sample_packet("burst"))
    result = voeflow_explain(pipeline, packet)

    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.output.splitlines()]
    assert "filter test (role) does not hold: role is observation" in lines
    assert "  looked at role: observation   /voe:VOEvent/@role, line 4" in lines
    assert any(line.startswith("  matched   /voe:VOEvent/What/Param[3], line ") for line in lines)
    assert "sink archive gets it: it gets every event" in lines
    at = lines.index("  yes  * (near or many) and not test")
    assert lines[at + 1 : at + 6] == [
        "  yes  *   near or many",
        "  yes  *     near",
        "  no         many",
        "  yes  *   not test",
        "  no   *     test",
    ]
    assert {path.name for path in pipeline.parent.iterdir()} == {"pipeline.toml", "burst.xml"}


def test_the_command_tells_it_as_json(pipeline: Path) -> None:
    packet = pipeline.with_name("burst.xml")
    packet.write_bytes(sample_packet("burst"))
    told = json.loads(voeflow_explain(pipeline, packet, "--format", "json").stdout)

    assert told["ivorn"] == "ivo://org.example/testing#burst"
    assert {each["name"]: each["holds"] for each in told["filters"]} == {
        "test": False, "near": True, "loud": True, "many": False,
    }  # fmt: skip
    act = told["sinks"][1]
    assert (act["gets"], act["decided_by"]) == (True, ["near", "test"])
    assert act["when"]["parts"][0]["parts"][1] == {
        "text": "many",
        "value": False,
        "decides": False,
        "parts": [],
    }


def test_what_is_no_event_is_told(pipeline: Path) -> None:
    packet = pipeline.with_name("no.xml")
    packet.write_bytes(sample_packet("no-voevent"))
    refused = voeflow_explain(pipeline, packet)
    missing = voeflow_explain(pipeline, "none.xml")

    assert (refused.exit_code, missing.exit_code) == (1, 1)
    assert "the root element is html" in refused.output
    assert "none.xml: cannot be read: No such file" in missing.output


AGED = """
[filters.fresh]
plugin = "age"
at_most = "1 hour"
"""


def stored(pipeline: Path, *events: voeflow.Event) -> None:
    store = Store.open(pipeline.with_name("voeflow.db"))
    try:
        store.append([to_store(event, None) for event in events], [])
    finally:
        store.close()


def test_of_an_ivorn_the_event_in_the_store_is_told_as_it_came(pipeline: Path) -> None:
    raw = sample_packet("burst")
    begun = voeflow.Event.parse(raw).time
    assert begun is not None
    pipeline.write_text(PIPELINE + AGED)
    stored(pipeline, voeflow.Event.parse(raw, source="elsewhere", received=begun + timedelta(minutes=5)))
    result = voeflow_explain(pipeline, "ivo://org.example/testing#burst")

    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0].startswith(f"{pipeline.with_name('voeflow.db')}: ivo://org.example/testing#burst (observ")
    assert lines[0].endswith(" through elsewhere")
    assert any(line.startswith("filter fresh (age) holds") for line in lines)
    assert "sink act does not get it: it comes through elsewhere, not through in" in lines
    through = voeflow_explain(pipeline, "ivo://org.example/testing#burst", "--source", "in")
    assert "sink act gets it: " in through.stdout
    told = json.loads(voeflow_explain(pipeline, "ivo://org.example/testing#burst", "--format", "json").stdout)
    assert (told["file"], told["source"]) == (None, "elsewhere")


def test_of_several_events_of_an_ivorn_it_is_the_newest(pipeline: Path) -> None:
    raw = sample_packet("burst")
    stored(pipeline, voeflow.Event.parse(raw.replace(b'"observation"', b'"test"')), voeflow.Event.parse(raw))
    result = voeflow_explain(pipeline, "ivo://org.example/testing#burst")

    assert result.stderr == "the newest of 2 events of this IVORN:\n"
    assert "filter test (role) does not hold: role is observation" in result.stdout


def test_an_old_event_that_has_more_attributes_than_are_taken_today_is_told_all_the_same(
    pipeline: Path,
) -> None:
    many = b" ".join(b'a%d=""' % number for number in range(MAX_ATTRIBUTES + 1))
    raw = sample_packet("burst").replace(b"<Who>", b"<Who %b>" % many)
    stored(pipeline, voeflow.Event.parse(raw, max_attributes=len(raw)))
    result = voeflow_explain(pipeline, "ivo://org.example/testing#burst", "--source", "in")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "filter test (role) does not hold: role is observation" in result.stdout


def test_an_ivorn_that_is_not_in_the_store_is_told(pipeline: Path) -> None:
    no_store = voeflow_explain(pipeline, "ivo://org.example/testing#burst")
    stored(pipeline, make_event())
    no_event = voeflow_explain(pipeline, "ivo://org.example/testing#burst")
    no_notice = voeflow_explain(pipeline, "ivo://org.example/testing#burst", "--topic", "igwn.gwalert")

    assert (no_store.exit_code, no_event.exit_code, no_notice.exit_code) == (1, 1, 2)
    assert "voeflow.db" in no_store.stderr
    assert "no event ivo://org.example/testing#burst in" in no_event.stderr
    assert "are for notices in files" in no_notice.stderr


def test_a_source_that_is_not_there_is_told(pipeline: Path) -> None:
    assert voeflow_explain(pipeline, "x.xml", "--source", "nowhere").exit_code == 2


def test_a_misspelt_fact_is_told_in_the_words_of_the_node(tmp_path: Path) -> None:
    @attrs.frozen
    class Misspelt:
        def matches(self, event: voeflow.Event) -> bool:
            return event.postion is None  # type: ignore[attr-defined, no-any-return]

    class Offered:
        @voeflow.hookimpl
        def register_filters(self) -> dict[str, type]:
            return {"misspelt": Misspelt}

    toml = PIPELINE + '[filters.wrong]\nplugin = "misspelt"\n'
    found = explained(tmp_path, make_event(), toml, Offered())

    told = next(each.reason for each in found.filters if each.name == "wrong")
    assert "AttributeError: 'Event' object has no attribute 'postion'" in told
