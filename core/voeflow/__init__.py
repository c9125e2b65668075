"""voeflow: receive, filter, act on and pass on VOEvents.

The names below are public; a plugin uses these and no others.
"""

from __future__ import annotations

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
