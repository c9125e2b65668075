"""The filters that come with voeflow: `xpath`, `role` and `author`."""

from __future__ import annotations

from collections.abc import Mapping

import voeflow

from .author import Author
from .role import Role
from .xpath import XPathFilter

__all__ = ["Author", "Role", "XPathFilter", "register_filters"]


@voeflow.hookimpl
def register_filters() -> Mapping[str, type]:
    """Name the built-in filters, as any distribution would name its own."""
    return {"author": Author, "role": Role, "xpath": XPathFilter}
