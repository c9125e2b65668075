"""What a user copies: the pipelines of the examples have no mistakes, and their packets do as told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import voeflow
from support.certificates import Authority
from voeflow._command import main

EXAMPLES = Path(__file__).parents[2] / "examples"
PIPELINES = [
    path
    for path in sorted(EXAMPLES.glob("*/*.toml"))
    if not (path.parent / "pyproject.toml").exists()  # a distribution of its own has tests of its own
]
PACKETS = sorted([*EXAMPLES.glob("*/packets/*.xml"), *EXAMPLES.glob("*/notices/*/*.xml")])
SVOM = EXAMPLES / "svom"


def name_of(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def run(*arguments: str | Path, **environment: str) -> Result:
    # Wide enough that no table wraps, and nothing in the developer's own environment that an example reads.
    clean = {name: None for name in os.environ if name.startswith("SVOM_")}
    return CliRunner(env={**clean, "COLUMNS": "200", **environment}).invoke(main, [str(a) for a in arguments])


def test_there_are_examples() -> None:
    folders = {path.parent.name for path in PIPELINES}
    assert folders >= {"gcn-bridge", "quickstart", "svom", "tls"}
    assert {name_of(path).partition("/")[0] for path in PACKETS} >= {
        "cta",
        "gcn-bridge",
        "quickstart",
        "svom",
    }


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The files that a script of the example `tls` makes, and is tested for elsewhere."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    for name in ("gateway", "observatory", "telescope"):
        authority.certify(name, "localhost")
    return str(authority.directory)


@pytest.mark.parametrize("pipeline", PIPELINES, ids=name_of)
def test_an_example_s_pipeline_has_no_mistakes(pipeline: Path, certificates: str) -> None:
    checked = run("check", pipeline, CERTIFICATES=certificates)
    assert (checked.exit_code, checked.stderr) == (0, "")


@pytest.mark.parametrize("packet", PACKETS, ids=name_of)
def test_an_example_s_packet_is_a_valid_voevent_that_says_it_is_made_up(packet: Path) -> None:
    event = voeflow.Event.parse(packet.read_bytes())
    assert event.defects == ()
    assert event.ivoid is not None
    assert event.ivoid.local  # without a local part it would name a stream, not an event
    assert event.date is not None
    assert b"Made up" in event.raw


@pytest.mark.parametrize("packet", PACKETS, ids=name_of)
def test_an_example_that_speaks_for_a_real_author_is_a_test_that_nobody_acts_on(packet: Path) -> None:
    event = voeflow.Event.parse(packet.read_bytes())
    assert event.author is not None
    assert event.author.startswith("ivo://org.example/") or event.role == "test"


@pytest.mark.parametrize("packet", PACKETS, ids=name_of)
def test_an_example_s_citation_is_of_a_packet_beside_it(packet: Path) -> None:
    beside = {voeflow.Event.parse(path.read_bytes()).ivorn for path in packet.parent.glob("*.xml")}
    assert {citation.ivorn for citation in voeflow.Event.parse(packet.read_bytes()).citations} <= beside


def test_no_two_examples_have_the_same_ivorn() -> None:
    ivorns = [voeflow.Event.parse(path.read_bytes()).ivorn for path in PACKETS]
    assert len(set(ivorns)) == len(ivorns)


def svom_sinks(**environment: str) -> dict[str, list[str]]:
    """Which packets of the SVOM example each sink would get, by the numbers their names begin with."""
    packets = sorted(SVOM.glob("packets/*.xml"))
    tested = run("test", SVOM / "pipeline.toml", *packets, **environment)
    assert tested.exit_code == 0, tested.output
    taken: dict[str, list[str]] = {}
    number, among_sinks = "", False
    for line in tested.stdout.splitlines():
        words = line.split()
        if not words:
            continue
        if ".xml:" in words[0]:
            number, among_sinks = Path(words[0]).name[:2], False
        elif words[0] == "sink":
            among_sinks = True
        elif among_sinks and words[1] == "yes":
            taken.setdefault(words[0], []).append(number)
    return taken


def test_the_svom_example_as_it_stands_only_saves_tests() -> None:
    assert svom_sinks() == {"archive": ["01", "02", "03", "04", "05"]}


def test_a_rehearsal_mails_svom_s_packets_and_slews_to_the_localised_bursts_alone() -> None:
    assert svom_sinks(SVOM_ACT_ON="test") == {
        "archive": ["01", "02", "03", "04", "05"],
        "duty": ["01", "02", "03", "04"],
        "slew": ["02", "03"],
    }


def test_the_svom_example_s_question_to_the_broker_lets_svom_s_packets_through_alone() -> None:
    question = '//Who[AuthorIVORN="ivo://obspm.gepi/svom"]'
    assert question in (SVOM / "pipeline.toml").read_text()
    events = [voeflow.Event.parse(path.read_bytes()) for path in sorted(SVOM.glob("packets/*.xml"))]
    assert [bool(event.xpath(question)) for event in events] == [True, True, True, True, False]
