"""voeflow: receive, filter, act on and pass on VOEvents.

The names below are public; a plugin uses these and no others. Each is imported when it is first asked for, so
that a node, which imports `voeflow` with every plugin, does not import what no table of its pipeline uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voeflow._compose import compose
    from voeflow._compose_values import Contact, Inference, Reference, Why
    from voeflow._deprecation import VoeflowDeprecationWarning
    from voeflow._errors import (
        EventError,
        FilterError,
        GiveUp,
        Later,
        Mistake,
        PipelineError,
        PluginError,
        StartError,
        StoreError,
        VoeflowError,
    )
    from voeflow._event import Citation, Event
    from voeflow._grammar import Defect
    from voeflow._hookspecs import hookimpl
    from voeflow._ivoid import Ivoid, parse_ivoid
    from voeflow._node_api import Delivery, History, Node, Submission, Validation
    from voeflow._notice import Attachment, Mapped, Notice, NoticeMapping
    from voeflow._places import Places
    from voeflow._quantities import Bytes, Seconds, parse_bytes, parse_seconds, show_seconds
    from voeflow._secret import Secret
    from voeflow._text import printable
    from voeflow._utc import parse_utc
    from voeflow._verdict import Verdict
    from voeflow._wall import utcnow
    from voeflow._what import Group, Param, Params
    from voeflow._wherewhen import Position
    from voeflow._xml import parse_xml
    from voeflow._xpath import XPath

__all__ = [
    "Attachment",
    "Bytes",
    "Citation",
    "Contact",
    "Defect",
    "Delivery",
    "Event",
    "EventError",
    "FilterError",
    "GiveUp",
    "Group",
    "History",
    "Inference",
    "Ivoid",
    "Later",
    "Mapped",
    "Mistake",
    "Node",
    "Notice",
    "NoticeMapping",
    "Param",
    "Params",
    "PipelineError",
    "Places",
    "PluginError",
    "Position",
    "Reference",
    "Seconds",
    "Secret",
    "StartError",
    "StoreError",
    "Submission",
    "Validation",
    "Verdict",
    "VoeflowDeprecationWarning",
    "VoeflowError",
    "Why",
    "XPath",
    "compose",
    "hookimpl",
    "parse_bytes",
    "parse_ivoid",
    "parse_seconds",
    "parse_utc",
    "parse_xml",
    "printable",
    "show_seconds",
    "utcnow",
]

#: Where the names are, as the imports above say it to type checkers.
_MODULES = {
    "voeflow._compose": "compose",
    "voeflow._compose_values": "Contact Inference Reference Why",
    "voeflow._deprecation": "VoeflowDeprecationWarning",
    "voeflow._errors": "EventError FilterError GiveUp Later Mistake PipelineError PluginError"
    " StartError StoreError VoeflowError",
    "voeflow._event": "Citation Event",
    "voeflow._grammar": "Defect",
    "voeflow._hookspecs": "hookimpl",
    "voeflow._ivoid": "Ivoid parse_ivoid",
    "voeflow._node_api": "Delivery History Node Submission Validation",
    "voeflow._notice": "Attachment Mapped Notice NoticeMapping",
    "voeflow._places": "Places",
    "voeflow._quantities": "Bytes Seconds parse_bytes parse_seconds show_seconds",
    "voeflow._secret": "Secret",
    "voeflow._text": "printable",
    "voeflow._utc": "parse_utc",
    "voeflow._verdict": "Verdict",
    "voeflow._wall": "utcnow",
    "voeflow._what": "Group Param Params",
    "voeflow._wherewhen": "Position",
    "voeflow._xml": "parse_xml",
    "voeflow._xpath": "XPath",
}

_WHERE = {name: module for module, names in _MODULES.items() for name in names.split()}

if not TYPE_CHECKING:  # or a type checker would take any name for one that is here

    def __getattr__(name: str) -> object:
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(_WHERE[name]), name)
        globals()[name] = found  # the next time it is not asked here
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
