"""The filters that come with voeflow: yes/no questions about what an event is, says, and when."""

from __future__ import annotations

from collections.abc import Mapping

import voeflow

from .age import Age
from .author import Author
from .cites import Cites
from .cone import Cone
from .ivorn import Ivorn
from .notice import Notice
from .once import Once
from .param import Param
from .rate import Rate
from .role import Role
from .signed import Signed
from .xpath import XPathFilter

__all__ = [
    "Age",
    "Author",
    "Cites",
    "Cone",
    "Ivorn",
    "Notice",
    "Once",
    "Param",
    "Rate",
    "Role",
    "Signed",
    "XPathFilter",
    "register_filters",
]


@voeflow.hookimpl
def register_filters() -> Mapping[str, type]:
    """Name the built-in filters, as any distribution would name its own."""
    return {
        "age": Age,
        "author": Author,
        "cites": Cites,
        "cone": Cone,
        "ivorn": Ivorn,
        "notice": Notice,
        "once": Once,
        "param": Param,
        "rate": Rate,
        "role": Role,
        "signed": Signed,
        "xpath": XPathFilter,
    }
