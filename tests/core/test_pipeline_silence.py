"""The key `silent_after`, and the node itself as a source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import voeflow
from support.nodes import read
from voeflow._pipeline_look import SinkLook, SourceLook, load_to_look
from voeflow._plugins import load_plugins

IVOID = 'ivoid = "ivo://org.example/node"\n'
UPSTREAM = '[transports.upstream]\nplugin = "vtp-subscribe"\nremote = "broker.example.org"\n'
PUBLIC = '[transports.public]\nplugin = "vtp-broadcast"\n'
NOTES = '[handlers.notes]\nplugin = "notebook"\n'


def mistakes(directory: Path, toml: str) -> list[str]:
    with pytest.raises(voeflow.PipelineError) as raised:
        read(directory, toml)
    return [str(mistake) for mistake in raised.value.mistakes]


def test_any_source_may_say_how_long_it_may_be_silent(tmp_path: Path) -> None:
    hand = '[transports.hand]\nplugin = "hand"\n'
    pipeline, _ = read(tmp_path, IVOID + UPSTREAM + 'silent_after = "2 hours"\n' + hand)

    assert [table.silent_after for table in pipeline.transports.values()] == [7200.0, None]


@pytest.mark.parametrize(
    ("toml", "mistake"),
    [
        (
            UPSTREAM + 'silent_after = "2 hours"',
            (
                "transports.upstream.silent_after: an alarm is an event of this node, which needs the node's"
                ' ivoid for that (write ivoid = "ivo://AUTHORITY/NAME" above all tables)'
            ),
        ),
        (
            IVOID + UPSTREAM + PUBLIC + 'silent_after = "2 hours"',
            (
                "transports.public.silent_after: only what events come in through has this key; vtp-broadcast"
                " carries them on (leave it out)"
            ),
        ),
        (
            IVOID + UPSTREAM + 'silent_after = "2 fortnights"',
            "transports.upstream.silent_after: expected a duration such as",
        ),
        (
            IVOID + UPSTREAM + "silent_after = 0",
            "transports.upstream.silent_after: expected more than 0, got 0",
        ),
        (
            IVOID + UPSTREAM + 'silent_atfer = "2 hours"',
            'transports.upstream.silent_atfer: no such key (did you mean "silent_after"?)',
        ),
        (
            UPSTREAM + '[transports.node]\nplugin = "hand"',
            (
                'transports.node: "node" in `sources` stands for the node itself'
                " (give the transport another name)"
            ),
        ),
    ],
)
def test_what_cannot_be_is_told_with_what_to_do(tmp_path: Path, toml: str, mistake: str) -> None:
    (told,) = mistakes(tmp_path, toml)
    assert told.startswith(mistake)


def test_a_sink_may_ask_for_the_nodes_own_events_alone(tmp_path: Path) -> None:
    pipeline, _ = read(tmp_path, UPSTREAM + NOTES + 'sources = ["node"]')

    assert pipeline.handlers["notes"].sources == frozenset({"node"})


def test_a_look_tells_the_sources_whatever_is_wrong_with_them(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    wrong = '[transports.wrong]\nplugin = "vtp-receive"\nport = 1\nsilent_after = "soon"\n'
    unknown = '[transports.unknown]\nplugin = "vtp-recieve"\n'
    path.write_text(UPSTREAM + 'silent_after = "1 hour"\n' + PUBLIC + wrong + unknown)

    look = load_to_look(path, load_plugins(), os.environ)

    assert look.sources == (
        SourceLook("upstream", "vtp-subscribe", 3600.0),
        SourceLook("wrong", "vtp-receive", None),
    )
    assert look.others == ("upstream", "wrong", "unknown")


def test_a_look_tells_the_sinks_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    unknown = '[handlers.unknown]\nplugin = "emial"\n[handlers.none]\n'
    handlers = '[handlers.duty]\nplugin = "email"\nserver = "${NO_SUCH_VARIABLE}"\n' + unknown

    path.write_text(UPSTREAM + handlers + PUBLIC)
    found = load_to_look(path, load_plugins(), os.environ).sinks
    duty = [SinkLook("duty", "email"), SinkLook("unknown", None), SinkLook("none", None)]
    assert found == (SinkLook("public", "vtp-broadcast"), *duty)

    path.write_text('ivoid = "ivo://a.bc/node"\n' + handlers + PUBLIC)
    found = load_to_look(path, load_plugins(), os.environ).sinks
    assert found == (*duty, SinkLook("public", "vtp-broadcast"))
