from __future__ import annotations

from pathlib import Path

import pytest

import voeflow
from support.nodes import running
from support.samples import voevent
from voeflow._places import PlacesInMemory, PlacesOf
from voeflow_filters.once import Once

SVOM = "ivo://obspm.gepi/svom"


@pytest.fixture
def places() -> voeflow.Places:
    return PlacesOf("once", PlacesInMemory())


def event(
    number: int,
    *,
    params: dict[str, str] | None = None,
    cites: tuple[int, ...] = (),
    role: str = "observation",
    author: str = SVOM,
    group: str = "",
) -> voeflow.Event:
    said = "".join(f'<Param name="{name}" value="{value}"/>' for name, value in (params or {}).items())
    if group:
        said = f'<Group name="{group}">{said}</Group>'
    cited = "".join(f'<EventIVORN cite="followup">{SVOM}#{each}</EventIVORN>' for each in cites)
    body = f"<Who><AuthorIVORN>{author}</AuthorIVORN></Who><What>{said}</What>" + (
        f"<Citations>{cited}</Citations>" if cited else ""
    )
    return voeflow.Event.parse(voevent(f"{SVOM}#{number}", role=role, body=body))


BY_NAME = Once(param=("Burst_Id", "TrigID"))


def test_the_first_of_each_trigger_passes_and_says_so(places: voeflow.Places) -> None:
    first, second = (event(n, params={"TrigID": "532871"}) for n in (1, 2))
    other = event(3, params={"TrigID": "532872"})
    assert BY_NAME.matches(first, places) == voeflow.Verdict(True, "the first event of TrigID 532871")
    assert BY_NAME.matches(second, places) == voeflow.Verdict(
        False, "another event of TrigID 532871 came first"
    )
    assert BY_NAME.matches(other, places)


def test_the_same_event_asked_again_gets_the_same_answer(places: voeflow.Places) -> None:
    first, second = (event(n, params={"TrigID": "1"}) for n in (1, 2))
    answers = [bool(BY_NAME.matches(each, places)) for each in (first, second, first, second, first)]
    assert answers == [True, False, True, False, True]


def test_one_name_in_common_is_enough(places: voeflow.Places) -> None:
    assert BY_NAME.matches(event(1, params={"TrigID": "1"}), places)
    assert not BY_NAME.matches(event(2, params={"TrigID": "1", "Burst_Id": "sb26112401"}), places)
    assert not BY_NAME.matches(event(3, params={"Burst_Id": "sb26112401"}, group="Identifiers"), places)


def test_an_author_cannot_use_up_another_s_turn_unless_asked(places: voeflow.Places) -> None:
    theirs = event(1, params={"TrigID": "1"}, author="ivo://org.example/others")
    ours = event(2, params={"TrigID": "1"})
    assert BY_NAME.matches(theirs, places)
    assert BY_NAME.matches(ours, places)
    across = Once(param=("TrigID",), across_authors=True)
    assert across.matches(theirs, places)
    assert not across.matches(ours, places)


def test_a_rehearsal_does_not_use_up_the_turn_of_a_burst(places: voeflow.Places) -> None:
    assert BY_NAME.matches(event(1, params={"TrigID": "1"}, role="test"), places)
    assert BY_NAME.matches(event(2, params={"TrigID": "1"}), places)


def test_without_a_name_events_that_cite_one_another_are_of_one_trigger(places: voeflow.Places) -> None:
    chain = [event(1), event(2, cites=(1,)), event(3, cites=(2,)), event(4, cites=(3, 9))]
    assert [bool(BY_NAME.matches(each, places)) for each in chain] == [True, False, False, False]
    assert BY_NAME.matches(event(2, cites=(1,)), places).reason == (
        "another event of ivo://obspm.gepi/svom#1 came first"
    )


def test_a_follow_up_that_comes_first_is_the_first(places: voeflow.Places) -> None:
    assert Once().matches(event(2, cites=(1,)), places)
    assert not Once().matches(event(1), places)


def test_two_forms_of_one_packet_are_one_trigger(places: voeflow.Places) -> None:
    assert Once().matches(event(1), places)
    assert not Once().matches(event(1, params={"Form": "2.0"}), places)


def test_the_ivorn_may_hold_the_name(places: voeflow.Places) -> None:
    asked = Once(ivorn=r"#\w+?_(\d+)-")

    def swift(local: str) -> voeflow.Event:
        return voeflow.Event.parse(voevent(f"ivo://nasa.gsfc.gcn/SWIFT#{local}"))

    assert asked.matches(swift("BAT_GRB_Pos_532871-729"), places).reason == "the first event of 532871"
    assert not asked.matches(swift("XRT_Pos_532871-833"), places)
    assert asked.matches(swift("BAT_GRB_Pos_532999-001"), places)


@pytest.mark.parametrize("expression", ["(", "(a)(b)"])
def test_a_bad_expression_is_a_mistake(expression: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Once(ivorn=expression)


def test_a_packet_that_cites_thousands_costs_no_more_than_some(places: voeflow.Places) -> None:
    class Counting:
        def __init__(self) -> None:
            self.count = 0

        def take(self, key: str, event: voeflow.Event, *, limit: int = 1) -> int | None:
            self.count += 1
            return 1

    counting = Counting()
    Once().matches(event(1, cites=tuple(range(2, 5000))), counting)
    assert counting.count == 21


PIPELINE = """
[transports.in]
plugin = "hand"
[filters.localised]
plugin = "xpath"
expression = "//Position2D"
[filters.once]
plugin = "once"
param = "Packet_Type"
[handlers.notes]
plugin = "notebook"
when = "localised and once"
"""


async def test_an_event_that_another_filter_keeps_out_does_not_use_up_the_turn(tmp_path: Path) -> None:
    bare = event(1, params={"Packet_Type": "61"})
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        for raw in (bare.raw, voevent(f"{SVOM}#2"), voevent(f"{SVOM}#3")):
            await submit(raw)
        await pipeline.handlers["notes"].instance.wait(1)
    async with running(tmp_path, PIPELINE) as (pipeline, _):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent(f"{SVOM}#4"))
        await submit(voevent(f"{SVOM}#5", packet_type=62))
        seen = await pipeline.handlers["notes"].instance.wait(1)
    assert [ivorn for ivorn, _, _ in seen] == [f"{SVOM}#5"]
