"""The filters that come with voeflow: yes/no questions about what an event is, says, and when."""

from __future__ import annotations

from collections.abc import Mapping

import voeflow


@voeflow.hookimpl
def register_filters() -> Mapping[str, str]:
    """Name the built-in filters, as any distribution would name its own."""
    return {
        "age": "voeflow_filters.age:Age",
        "author": "voeflow_filters.author:Author",
        "cites": "voeflow_filters.cites:Cites",
        "cone": "voeflow_filters.cone:Cone",
        "ivorn": "voeflow_filters.ivorn:Ivorn",
        "notice": "voeflow_filters.notice:Notice",
        "once": "voeflow_filters.once:Once",
        "param": "voeflow_filters.param:Param",
        "rate": "voeflow_filters.rate:Rate",
        "role": "voeflow_filters.role:Role",
        "signed": "voeflow_filters.signed:Signed",
        "xpath": "voeflow_filters.xpath:XPathFilter",
    }
