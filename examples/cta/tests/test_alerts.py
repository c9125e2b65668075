"""Which packets are alerts that CTA follows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made import EXAMPLE, packet
from voeflow_cta import CTAAlert
from voeflow_cta._alerts import Condition

import voeflow

OWN = EXAMPLE / "cta-profiles.toml"


def notice(ivorn: str, *params: tuple[str, str], cites: tuple[str, str] | None = None) -> voeflow.Event:
    """A packet with these Params, the last ones in a group, as GCN's have them."""
    lines = [f'<Param name="{name}" value="{value}"/>' for name, value in params]
    cited = f'<Citations><EventIVORN cite="{cites[0]}">{cites[1]}</EventIVORN></Citations>' if cites else ""
    return voeflow.Event.parse(
        f'<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="observation"'
        f' ivorn="{ivorn}"><Who><AuthorIVORN>ivo://nasa.gsfc.tan/gcn</AuthorIVORN></Who><What>{"".join(lines[:1])}'
        f'<Group name="Status">{"".join(lines[1:])}</Group></What>{cited}</v:VOEvent>'.encode()
    )


BAT = "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_532871-729"
GBM = "ivo://nasa.gsfc.gcn/Fermi#GBM_Flt_Pos_2016-06-01_486443976_47-604"
LVC = "ivo://gwnet/LVC#S190425z-Initial"
AMON = "ivo://nasa.gsfc.gcn/AMON#ICECUBE_Gold_Event"


@pytest.mark.parametrize(
    ("event", "holds", "reason"),
    [
        (notice(BAT, ("Packet_Type", "61"), ("GRB_Identified", "true")), True, "burst: Swift BAT burst"),
        (
            notice(BAT, ("Packet_Type", "61"), ("GRB_Identified", "false")),
            False,
            "Swift BAT burst, but GRB_Identified is false, not == true",
        ),
        (
            notice(BAT, ("Packet_Type", "61"), ("GRB_Identified", "true"), ("Def_NOT_a_GRB", "true")),
            False,
            "Swift BAT burst, but Def_NOT_a_GRB is true, not != true",
        ),
        (
            notice("ivo://nasa.gsfc.gcn/SWIFT#Point_Dir_1", ("Packet_Type", "83")),
            False,
            "no alert of the kinds burst, wave, neutrino, flare",
        ),
        (notice(GBM, ("Packet_Type", "111"), ("Most_Likely_Index", "4")), True, "burst: Fermi GBM burst"),
        (
            notice(GBM, ("Packet_Type", "111"), ("Most_Likely_Index", "1")),
            False,
            "Fermi GBM burst, but Most_Likely_Index is 1, not == 4",
        ),
        (
            notice("ivo://org.svom/fsc#sb26112401_eclairs", ("Burst_Id", "sb26112401")),
            True,
            "burst: SVOM burst",
        ),
        (
            notice("ivo://org.svom/fsc#health", ("Other", "1")),
            False,
            "SVOM burst, but it has no Burst_Id",
        ),
        (notice(LVC, ("Packet_Type", "151"), ("Significant", "1")), True, "wave: gravitational wave"),
        (
            notice(LVC, ("Packet_Type", "151"), ("Significant", "0")),
            False,
            "gravitational wave, but Significant is 0, not == 1",
        ),
        (
            notice(LVC, ("Packet_Type", "164"), ("Significant", "1")),
            False,
            "no alert of the kinds burst, wave, neutrino, flare",
        ),
        (notice(AMON, ("Packet_Type", "173"), ("signalness", "0.62")), True, "neutrino: IceCube track"),
        (
            notice(AMON, ("Packet_Type", "173"), ("signalness", "3.4364e-01")),
            False,
            "IceCube track, but Signalness is 3.4364e-01, not >= 0.5",
        ),
        (
            notice(AMON, ("Packet_Type", "173"), ("signalness", "soon")),
            False,
            "IceCube track, but Signalness is soon, not >= 0.5",
        ),
    ],
)
def test_an_alert_is_known_by_its_stream_its_type_and_its_params(
    event: voeflow.Event, holds: bool, reason: str
) -> None:
    assert CTAAlert().matches(event) == voeflow.Verdict(holds, reason)


def test_only_the_kinds_that_are_asked_for_pass() -> None:
    event = notice(AMON, ("Packet_Type", "173"), ("signalness", "0.62"))
    assert CTAAlert(kinds=("neutrino",)).matches(event).holds
    assert CTAAlert(kinds=("burst", "wave")).matches(event).reason == "no alert of the kinds burst, wave"


def test_alerts_of_one_s_own_are_asked_first() -> None:
    assert not CTAAlert().matches(packet(1)).holds
    assert CTAAlert(profiles=OWN).matches(packet(1)).reason == "burst: example burst"
    assert CTAAlert(profiles=OWN).matches(packet(9)).reason == (
        "example burst, but Significance is 4.1, not >= 6"
    )


def test_tests_and_retractions_never_pass() -> None:
    assert CTAAlert(profiles=OWN).matches(packet(7)).reason == "role is test: only observations are followed"
    assert CTAAlert(profiles=OWN).matches(packet(6)).reason == (
        "retracts ivo://org.example/bursts#burst_4711-initial"
    )


def test_an_update_says_what_it_updates_and_passes_unless_it_is_refused() -> None:
    said = "burst: example burst, after ivo://org.example/bursts#burst_4711-initial"
    assert CTAAlert(profiles=OWN).matches(packet(8)) == voeflow.Verdict(True, said)
    assert CTAAlert(profiles=OWN, updates="refuse").matches(packet(8)) == voeflow.Verdict(False, said)


def test_a_param_that_is_not_there_fails_every_condition_but_unequal() -> None:
    assert Condition.parse("Flag != true").unmet({}) == ""
    assert Condition.parse("Flag == true").unmet({}) == "it has no Flag"
    assert Condition.parse("Flag").unmet({}) == "it has no Flag"


@pytest.mark.parametrize("text", ["", "a b c", "Signalness >= much", "== 5", "Signalness ~ 5"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        Condition.parse(text)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[sites.here]\nlatitude = 91", "name is missing"),
        ('[sites.here]\nlatitude = "28 N"', "sites.here.latitude: expected a number, got '28 N'"),
        ("[sites.here]\nlattitude = 28", "lattitude: expected one of name, latitude, longitude, height"),
        ('[telescopes.a]\nname = "A"\nmax_error = 1\nmoon = "gray"', 'got "gray"; did you mean grey?'),
        ('[[alerts]]\nkind = "x"\nname = "X"\nivorns = "ivo://x"', "expected a list of text"),
        (
            '[[alerts]]\nkind = "x"\nname = "X"\nivorns = ["ivo://x"]\nrequire = ["a =! 5"]',
            "alerts.1: expected a condition",
        ),
        ("[site.here]", "site: expected the tables"),
        ("sites = 5", "sites: expected tables"),
        ("[sites", "is no TOML"),
    ],
)
def test_mistakes_in_profiles_are_told_with_file_table_and_key(
    tmp_path: Path, written: str, told: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(written)
    with pytest.raises(ValueError, match=f"^(cannot read )?{re.escape(str(path))}.*{re.escape(told)}"):
        CTAAlert(profiles=path)


def test_profiles_that_are_not_there_are_told() -> None:
    with pytest.raises(ValueError, match=r"cannot read .*/none\.toml: No such file"):
        CTAAlert(profiles=Path("/none.toml"))
