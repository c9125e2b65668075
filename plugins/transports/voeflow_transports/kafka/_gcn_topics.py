"""Which Kafka topics carry the notices that a pipeline names, at NASA's General Coordinates Network.

GCN names its topics in three ways (https://gcn.nasa.gov/notices, the names of the topics):

* `gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK`: notices of GCN Classic as VOEvents, by their type, in capitals;
* `gcn.notices.svom.voevent.grm`: what missions send themselves, VOEvents or JSON, in small letters, a mission
  first;
* `igwn.gwalert`: gravitational waves, JSON.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

#: Where GCN shows that it is alive, every second.
HEARTBEAT = "gcn.heartbeat"

_CLASSIC = "gcn.classic.voevent."
_MISSIONS = "gcn.notices."
_WAVES = "igwn.gwalert"

#: What a topic may be called in Kafka, and the two signs of a pattern; at most 249 characters.
_NAME = re.compile(r"[A-Za-z0-9._*?-]{1,249}", re.ASCII)

#: The types of notices of GCN Classic, for whoever misspells one. A type that is not here may be at GCN.
_TYPES = [
    "AAVSO",
    "ALEXIS_SRC",
    "AMON_NU_EM_COINC",
    "BRAD_COORDS",
    "CALET_GBM_FLT_LC",
    "CALET_GBM_GND_LC",
    "CBAT",
    "COINCIDENCE",
    "COMPTEL_SRC",
    "DOW_TOD",
    "FERMI_GBM_ALERT",
    "FERMI_GBM_FIN_POS",
    "FERMI_GBM_FLT_POS",
    "FERMI_GBM_GND_POS",
    "FERMI_GBM_LC",
    "FERMI_GBM_POS_TEST",
    "FERMI_GBM_SUBTHRESH",
    "FERMI_GBM_TRANS",
    "FERMI_LAT_GND",
    "FERMI_LAT_MONITOR",
    "FERMI_LAT_OFFLINE",
    "FERMI_LAT_POS_DIAG",
    "FERMI_LAT_POS_INI",
    "FERMI_LAT_POS_TEST",
    "FERMI_LAT_POS_UPD",
    "FERMI_LAT_TRANS",
    "FERMI_POINTDIR",
    "FERMI_SC_SLEW",
    "GECAM_FLT",
    "GECAM_GND",
    "GRB_CNTRPART",
    "GRB_COORDS",
    "GRB_FINAL",
    "GWHEN_COINC",
    "HAWC_BURST_MONITOR",
    "HUNTS_SRC",
    "ICECUBE_ASTROTRACK_BRONZE",
    "ICECUBE_ASTROTRACK_GOLD",
    "ICECUBE_CASCADE",
    "IPN_POS",
    "IPN_RAW",
    "IPN_SEG",
    "KONUS_LC",
    "MAXBC",
    "MAXI_KNOWN",
    "MAXI_TEST",
    "MAXI_UNKNOWN",
    "OGLE",
    "SIMBADNED",
    "SK_SN",
    "SNEWS",
    "SWIFT_ACTUAL_POINTDIR",
    "SWIFT_BAT_GRB_LC",
    "SWIFT_BAT_GRB_LC_PROC",
    "SWIFT_BAT_GRB_POS_ACK",
    "SWIFT_BAT_GRB_POS_NACK",
    "SWIFT_BAT_GRB_POS_TEST",
    "SWIFT_BAT_KNOWN_SRC",
    "SWIFT_BAT_MONITOR",
    "SWIFT_BAT_QL_POS",
    "SWIFT_BAT_SCALEDMAP",
    "SWIFT_FOM_OBS",
    "SWIFT_FOM_SAFE_POINT",
    "SWIFT_FOM_SLEW_ABORT",
    "SWIFT_POINTDIR",
    "SWIFT_SC_SLEW",
    "SWIFT_TOO_FOM",
    "SWIFT_TOO_SC_SLEW",
    "SWIFT_UVOT_DBURST",
    "SWIFT_UVOT_DBURST_PROC",
    "SWIFT_UVOT_FCHART",
    "SWIFT_UVOT_FCHART_PROC",
    "SWIFT_UVOT_POS",
    "SWIFT_UVOT_POS_NACK",
    "SWIFT_XRT_CENTROID",
    "SWIFT_XRT_IMAGE",
    "SWIFT_XRT_IMAGE_PROC",
    "SWIFT_XRT_LC",
    "SWIFT_XRT_POSITION",
    "SWIFT_XRT_SPECTRUM",
    "SWIFT_XRT_SPECTRUM_PROC",
    "SWIFT_XRT_SPER",
    "SWIFT_XRT_SPER_PROC",
    "SWIFT_XRT_THRESHPIX",
    "SWIFT_XRT_THRESHPIX_PROC",
    "TEST_COORDS",
]


def topics_of(notices: Iterable[str]) -> tuple[str, ...]:
    """Give the topics, or patterns of topics, that carry some notices.

    Args:
        notices: types of GCN Classic in capitals (`SWIFT_BAT_GRB_POS_ACK`), missions in small letters
            (`svom.voevent.grm`), or whole names of topics (`igwn.gwalert`); `*` stands for any characters
            and `?` for one. `*` by itself is all that GCN has.

    Returns:
        Names and patterns of topics, each once, in the order of the notices.

    Raises:
        ValueError: one of them is none of that; the message says what was expected.
    """
    return tuple(dict.fromkeys(topic for notice in notices for topic in _topics_of(notice)))


def _topics_of(notice: str) -> list[str]:
    if not _NAME.fullmatch(notice):
        raise ValueError(
            "expected a type of notice as SWIFT_BAT_GRB_POS_ACK or a mission as svom.*: letters, digits, '.',"
            f" '_', '-', and the wildcards '*' and '?'; got {notice!r}"
        )
    letters = "".join(filter(str.isalpha, notice))
    if notice.startswith(("gcn.", "igwn.")):
        return [notice]
    if not letters:
        return [_CLASSIC + notice, _MISSIONS + notice, _WAVES]
    if notice.startswith("LVC_"):
        raise ValueError(
            f"{notice!r}: gravitational waves are told on the topic igwn.gwalert now, as JSON; write"
            f" {_WAVES!r} instead"
        )
    if letters.isupper() and "." not in notice:
        return [_CLASSIC + notice]
    if letters.islower():
        return [_MISSIONS + notice]
    near = difflib.get_close_matches(notice.upper(), _TYPES, 1, 0.8)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(
        "expected a type of GCN Classic in capitals, as SWIFT_BAT_GRB_POS_ACK, or a mission in small letters,"
        f" as svom.*, got {notice!r}{hint}"
    )


def remedy(topics: Iterable[str]) -> str:
    """Say what to do about a topic that GCN does not have.

    Args:
        topics: those that are asked for; for one that seems misspelt the nearest type of notice is named.
    """
    hints = [
        f"for {kind} write {near[0]}"
        for topic in topics
        if topic.startswith(_CLASSIC) and (kind := topic.removeprefix(_CLASSIC)) not in _TYPES
        if (near := difflib.get_close_matches(kind, _TYPES, 1, 0.8))
    ]
    return "; ".join(["see https://gcn.nasa.gov/notices for the topics that there are", *hints[:3]])
