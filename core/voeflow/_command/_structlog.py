"""structlog, without what it would import besides."""

from __future__ import annotations

import importlib
import sys


def import_structlog() -> None:
    """Import structlog as if rich were not installed, unless it is imported already.

    It would import rich to show tracebacks with local variables, which the log never has since there are
    passwords among them; and that takes a sixth of the time in which a node starts.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # which makes its import fail
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]
