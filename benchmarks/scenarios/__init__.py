"""The scenarios; each module here has one."""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks.scenario import Scenario


def scenarios() -> list[Scenario]:
    """Give all scenarios, in the order of their modules' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}").SCENARIO for name in names]
