"""structlog, without what it would import besides: a fifth of the time in which a node starts."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


def import_structlog() -> None:
    """Import structlog, but not rich and asyncio with it, unless any of them is imported already.

    It has rich show tracebacks with local variables, which the log never does, since there are passwords
    among them. And asyncio is for its methods that wait, which are of no use on trio; who calls one has it
    imported then.
    """
    if {"structlog", "rich", "asyncio"} & sys.modules.keys():
        return
    later = ModuleType("asyncio")
    later.__getattr__ = lambda name: getattr(importlib.import_module("asyncio"), name)  # type: ignore[method-assign]
    sys.modules["asyncio"] = later
    sys.modules["rich"] = None  # type: ignore[assignment]  # which makes its import fail
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["asyncio"], sys.modules["rich"]
