"""structlog, without what it would import besides: a fifth of the time in which a node starts."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

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
    # A module's own `__getattr__` (PEP 562), which mypy takes for a method of its class.
    later.__getattr__ = lambda name: getattr(importlib.import_module("asyncio"), name)  # type: ignore[method-assign]
    sys.modules["asyncio"] = later
    for name in _WITHOUT:
        sys.modules[name] = None  # type: ignore[assignment]  # which makes its import fail
    try:
        importlib.import_module("structlog")
    finally:
        for name in ("asyncio", *_WITHOUT):
            del sys.modules[name]
