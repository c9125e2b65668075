"""The mappings that come with voeflow: what makes VOEvents of missions' JSON notices.

What a mapping does is imported with the first notice that it is asked about, for most nodes have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import voeflow

if TYPE_CHECKING:
    from ._sequence import Earlier

__all__ = ["GwAlert", "UnifiedNotice", "register_mappings"]


class GwAlert:
    """Makes the VOEvents that LVK used to send of the alerts that it sends now."""

    topics = ("igwn.gwalert",)

    def map(self, notice: voeflow.Notice, earlier: Earlier) -> voeflow.Mapped | None:
        """Make a VOEvent of an alert.

        Raises:
            EventError: it is an alert, and something in it is missing or wrong.
        """
        from .igwn import map_alert

        return map_alert(notice, earlier, self.topics)


class UnifiedNotice:
    """Makes VOEvents of notices in GCN's unified schema, of any mission."""

    topics = ("gcn.notices.*",)

    def map(self, notice: voeflow.Notice, earlier: Earlier) -> voeflow.Mapped | None:
        """Make a VOEvent of a notice.

        Raises:
            EventError: it is of the schema, and something in it is missing or wrong.
        """
        from .unified import map_notice

        return map_notice(notice, earlier)


@voeflow.hookimpl
def register_mappings() -> Mapping[str, voeflow.NoticeMapping]:
    """Name the built-in mappings, as any distribution would name its own."""
    return {"gcn-unified": UnifiedNotice(), "igwn-gwalert": GwAlert()}
