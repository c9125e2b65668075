"""The mappings that come with voeflow: what makes VOEvents of missions' JSON notices."""

from __future__ import annotations

from collections.abc import Mapping

import voeflow

from .igwn import GwAlert
from .unified import UnifiedNotice

__all__ = ["GwAlert", "UnifiedNotice", "register_mappings"]


@voeflow.hookimpl
def register_mappings() -> Mapping[str, voeflow.NoticeMapping]:
    """Name the built-in mappings, as any distribution would name its own."""
    return {"gcn-unified": UnifiedNotice(), "igwn-gwalert": GwAlert()}
