"""structlog, without what it would import besides: a fifth of the time in which a node starts."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

#: What it imports where it is installed: two that show tracebacks with local variables, which the log
#: never does, since there are passwords among them; and what Comet is made of.
_WITHOUT = ("better_exceptions", "rich", "twisted")


def import_structlog() -> None:
    """Import structlog, but not asyncio and others with it, unless any of them is imported already.

    Asyncio is for its methods that wait, which are of no use on trio; who calls one has it imported then.
    """
    if {"structlog", "asyncio", *_WITHOUT} & sys.modules.keys():
        return
    later = ModuleType("asyncio")
    # A module's own `__getattr__` (PEP 562).
    vars(later)["__getattr__"] = lambda name: getattr(importlib.import_module("asyncio"), name)
    modules: dict[str, Any] = sys.modules
    modules["asyncio"] = later
    modules.update(dict.fromkeys(_WITHOUT))  # None makes an import fail
    try:
        importlib.import_module("structlog")
    finally:
        for name in ("asyncio", *_WITHOUT):
            del sys.modules[name]
