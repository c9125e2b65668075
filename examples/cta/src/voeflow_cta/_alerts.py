"""Which packets are alerts, and of what: by the stream they come from, their type of notice, their Params."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import attrs

import voeflow

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*([\w.:/-]+)\s*(?:(==|!=|<=|>=|<|>)\s*(\S.*?))?\s*")


@attrs.frozen
class Condition:
    """What a `Param` has to say: `Signalness >= 0.5`, `Def_NOT_a_GRB != true`, or a name alone: it is there.

    Attributes:
        name: the Param's, in a group or not; case does not count.
        comparison: `==`, `!=`, `<`, `<=`, `>`, `>=`, or empty where the Param has only to be there.
        value: what it is compared with: as numbers where both are, else as text whose case does not count.
    """

    name: str
    comparison: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read one.

        Raises:
            ValueError: it is none.
        """
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise ValueError(f'expected a condition such as "Signalness >= 0.5", got "{text}"')
        name, comparison, value = (part or "" for part in found.groups())
        if comparison in ("<", "<=", ">", ">=") and _number(value) is None:
            raise ValueError(f'expected a number after {comparison} in "{text}"')
        return cls(name, comparison, value)

    def unmet(self, params: Mapping[str, voeflow.Param]) -> str:
        """Say how a packet's Params fail it; empty if they do not. `!=` holds where there is none."""
        param = params.get(self.name.lower())
        if param is None:
            return "" if self.comparison == "!=" else f"it has no {self.name}"
        if not self.comparison:
            return ""
        ours, theirs = _number(self.value), _number(param.value)
        if ours is not None and theirs is not None:
            holds = _OPERATORS[self.comparison](theirs, ours)
        elif self.comparison in ("==", "!="):
            holds = (param.value.strip().lower() == self.value.lower()) == (self.comparison == "==")
        else:
            holds = False
        said = f"{self.name} is {voeflow.printable(param.value, 40)}"
        return "" if holds else f"{said}, not {self.comparison} {self.value}"


@attrs.frozen
class Alert:
    """Which packets are one kind of alert.

    Attributes:
        kind: what `kinds` calls it: `burst`, `wave`, `neutrino`, `flare`, or a word of one's own.
        name: what the verdict calls it.
        ivorns: where it comes from: patterns with `*` for the IVORN or the AuthorIVORN, one of which has to
            fit; case does not count.
        notices: GCN's types of notice (`Packet_Type`), one of which it has to be; any if empty.
        require: conditions, all of which have to hold.
    """

    kind: str
    name: str
    ivorns: tuple[str, ...]
    notices: tuple[int, ...] = ()
    require: tuple[str, ...] = ()
    _conditions: tuple[Condition, ...] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Read the conditions."""
        object.__setattr__(self, "_conditions", tuple(Condition.parse(text) for text in self.require))

    def comes_from(self, event: voeflow.Event, params: Mapping[str, voeflow.Param]) -> bool:
        """Whether a packet is of this stream and type; whether it is good enough, `unmet` tells."""
        names = [name.lower() for name in (event.ivorn, event.author or "") if name]
        if not any(fnmatchcase(name, pattern.lower()) for name in names for pattern in self.ivorns):
            return False
        if not self.notices:
            return True
        kind = params.get("packet_type")
        return kind is not None and _number(kind.value) in self.notices

    def unmet(self, params: Mapping[str, voeflow.Param]) -> str:
        """Say which condition fails, and how; empty if all hold."""
        return next((reason for each in self._conditions if (reason := each.unmet(params))), "")


def all_params(event: voeflow.Event) -> dict[str, voeflow.Param]:
    """The packet's Params by their names in lower case, those outside of groups first."""
    found: dict[str, voeflow.Param] = {}
    for params in (event.params, *(group.params for group in event.groups)):
        for param in params:
            found.setdefault(param.name.lower(), param)
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_NOT_A_TEST = "Test_Submission != true"

#: What is known without a file of one's own. Numbers of notices are GCN Classic's
#: (https://gcn.gsfc.nasa.gov/filtering.html), names of Params those of its packets; index 4 is a burst in
#: Fermi GBM's `Most_Likely_Index` (https://gcn.gsfc.nasa.gov/fermi.html). A gravitational wave has to be
#: significant in LVK's own sense; it has a sky map, no position. A neutrino has at least even odds of being
#: astrophysical.
ALERTS: tuple[Alert, ...] = (
    Alert(
        "burst",
        "Swift BAT burst",
        ("ivo://nasa.gsfc.gcn/swift#*",),
        (61,),
        ("GRB_Identified == true", "Def_NOT_a_GRB != true", "Target_in_Flt_Catalog != true", _NOT_A_TEST),
    ),
    Alert("burst", "Swift XRT position", ("ivo://nasa.gsfc.gcn/swift#*",), (67,), (_NOT_A_TEST,)),
    Alert(
        "burst",
        "Fermi GBM burst",
        ("ivo://nasa.gsfc.gcn/fermi#*",),
        (111,),
        ("Most_Likely_Index == 4", "Def_NOT_a_GRB != true", _NOT_A_TEST),
    ),
    Alert(
        "burst",
        "Fermi GBM burst",
        ("ivo://nasa.gsfc.gcn/fermi#*",),
        (112, 115),
        ("Def_NOT_a_GRB != true", _NOT_A_TEST),
    ),
    Alert("burst", "Fermi LAT burst", ("ivo://nasa.gsfc.gcn/fermi#*",), (120, 121, 127), (_NOT_A_TEST,)),
    Alert("burst", "SVOM burst", ("ivo://org.svom/*", "ivo://obspm.gepi/svom*"), (), ("Burst_Id",)),
    Alert(
        "wave",
        "gravitational wave",
        ("ivo://gwnet/lvc#*", "ivo://nasa.gsfc.gcn/lvc#*"),
        (150, 151, 152, 163),
        ("Significant == 1",),
    ),
    Alert(
        "neutrino",
        "IceCube track",
        ("ivo://nasa.gsfc.gcn/amon#*", "ivo://nasa.gsfc.gcn/icecube#*"),
        (158, 169, 173, 174),
        ("Signalness >= 0.5", "Retraction != true", "InternalTest != true"),
    ),
    Alert(
        "neutrino",
        "neutrino with gamma rays",
        ("ivo://nasa.gsfc.gcn/amon#*",),
        (172,),
        ("Retraction != true", "InternalTest != true"),
    ),
    Alert("flare", "Fermi LAT transient", ("ivo://nasa.gsfc.gcn/fermi#*",), (123,)),
    Alert("flare", "AGILE transient", ("ivo://nasa.gsfc.gcn/agile#*",), (108,)),
    Alert("flare", "MAXI transient", ("ivo://nasa.gsfc.gcn/maxi#*",), (134,), ("Test_Submission != true",)),
)
