"""The words of LVK's VOEvents: names, units, UCDs and meanings of their Params, as LVK sent them until 2026.

From the VOEvents of the IGWN Public Alerts User Guide and its page "Alert Contents".
"""

from __future__ import annotations

from typing import Final

import attrs

from ._params import About


@attrs.frozen
class Kind:
    """A kind of alert.

    Attributes:
        name: what VOEvents call it, in `AlertType` and in the IVORN.
        packet_type: GCN's number for it.
        description: the packet's own description.
        citing: why it cites the packets before it.
    """

    name: str
    packet_type: int
    description: str
    citing: str


_EARLY_WARNING = Kind(
    "EarlyWarning",
    163,
    "Early warning report of a candidate gravitational wave event",
    "Early warning localization is now available",
)
_REPORT = "Report of a candidate gravitational wave event"
#: By `alert_type`, in the order in which they come. Version 1.0 of LVK's schema has `EARLY_WARNING`.
KINDS: Final = {
    "EARLYWARNING": _EARLY_WARNING,
    "EARLY_WARNING": _EARLY_WARNING,
    "PRELIMINARY": Kind("Preliminary", 150, _REPORT, "Initial localization is now available (preliminary)"),
    "INITIAL": Kind("Initial", 151, _REPORT, "Initial localization is now available"),
    "UPDATE": Kind("Update", 152, _REPORT, "Updated localization is now available"),
    "RETRACTION": Kind("Retraction", 164, "", "Determined to not be a viable GW event candidate"),
}

COLLABORATIONS: Final = "LIGO Scientific Collaboration, Virgo Collaboration, and KAGRA Collaboration"
HOW: Final = (
    "Candidate gravitational wave event identified by low-latency analysis",
    "H1: LIGO Hanford 4 km gravitational wave detector",
    "L1: LIGO Livingston 4 km gravitational wave detector",
    "V1: Virgo 3 km gravitational wave detector",
    "K1: KAGRA 3 km gravitational wave detector",
)

_RATE = "arith.rate;stat.falsealarm"

#: What the Params directly in `What` mean, by their names.
PARAMS: Final = {
    "Packet_Type": About(description="GCN's number for this kind of notice"),
    "internal": About(description="1 if for members of LIGO, Virgo and KAGRA only, 0 if public"),
    "GraceID": About(ucd="meta.id", description="Name of the superevent in GraceDB"),
    "AlertType": About(ucd="meta.version", description="Kind of alert"),
    "OpenAlert": About(ucd="meta.number", description="1 if the alert is public, 0 if not"),
    "EventPage": About(ucd="meta.ref.url", description="Page about the candidate and what became of it"),
    "Instruments": About(ucd="meta.code", description="Detectors whose data the analysis used"),
    "FAR": About("Hz", _RATE, "Rate of false alarms at least as strong", real=True),
    "Significant": About(ucd="meta.number", description="1 if the alert is significant, 0 if not"),
    "Group": About(ucd="meta.code", description="Working group whose analysis found it: CBC, Burst"),
    "Pipeline": About(ucd="meta.code", description="Analysis that found it"),
    "Search": About(ucd="meta.code", description="Search of that analysis"),
    "CentralFreq": About("Hz", "gw.frequency", "Central frequency of the burst", real=True),
    "Duration": About("s", "time.duration", "Duration of the burst", real=True),
}

_PROBABILITY = "stat.probability"

CLASSIFICATION: Final = {
    "BNS": About("", _PROBABILITY, "Probability of two neutron stars, both below 3 solar masses", real=True),
    "NSBH": About(
        "", _PROBABILITY, "Probability of a neutron star and a black hole, the lighter below 3 solar masses",
        real=True,
    ),
    "BBH": About("", _PROBABILITY, "Probability of two black holes, both above 3 solar masses", real=True),
    "Terrestrial": About("", _PROBABILITY, "Probability of noise or a glitch", real=True),
}  # fmt: skip
CLASSIFICATION_MEANS: Final = "Which kind of source it is; the probabilities exclude each other"

PROPERTIES: Final = {
    "HasNS": About("", _PROBABILITY, "Probability that one object is below 3 solar masses", real=True),
    "HasRemnant": About(
        "", _PROBABILITY, "Probability that mass was left outside the final object", real=True
    ),
    "HasMassGap": About(
        "", _PROBABILITY, "Probability that one object is between 3 and 5 solar masses", real=True
    ),
    "HasSSM": About("", _PROBABILITY, "Probability that one object is below 1 solar mass", real=True),
}
PROPERTIES_MEAN: Final = "What the source is like, if it is a merger of compact objects"

#: The fields of `external_coinc`: the Params that they become in the group, and what these mean.
EXTERNAL: Final = {
    "gcn_notice_id": (
        "External_GCN_Notice_Id",
        About(ucd="meta.id", description="Number of the other event"),
    ),
    "ivorn": ("External_Ivorn", About(ucd="meta.id", description="IVORN of the other event")),
    "observatory": ("External_Observatory", About(ucd="meta.code", description="Who saw the other event")),
    "search": ("External_Search", About(ucd="meta.code", description="Search that found the other event")),
    "time_difference": (
        "Time_Difference",
        About("", "meta.code", "Seconds from the candidate to the other event", real=True),
    ),
    "time_coincidence_far": (
        "Time_Coincidence_FAR",
        About("Hz", _RATE, "Rate of false coincidences by their times", real=True),
    ),
    "time_sky_position_coincidence_far": (
        "Time_Sky_Position_Coincidence_FAR",
        About("Hz", _RATE, "Rate of false coincidences by their times and places", real=True),
    ),
}
EXTERNAL_MEANS: Final = "Coincidence with an event that others have seen"
