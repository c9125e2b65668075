"""The public names: each is there, imported when it is asked for, and what type checkers take it for."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import voeflow

SOURCE = ast.parse(Path(voeflow.__file__).read_text())
SEEN_BY_TYPE_CHECKERS = {
    alias.name: node.module
    for node in ast.walk(SOURCE)
    if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("voeflow.")
    for alias in node.names
}


@pytest.mark.parametrize("name", voeflow.__all__)
def test_a_public_name_is_what_type_checkers_take_it_for(name: str) -> None:
    module = SEEN_BY_TYPE_CHECKERS[name]
    assert module is not None
    assert getattr(voeflow, name) is getattr(importlib.import_module(module), name)
    assert name in dir(voeflow)


def test_what_type_checkers_see_is_public() -> None:
    assert set(voeflow.__all__) == SEEN_BY_TYPE_CHECKERS.keys()


def test_there_is_no_other_name() -> None:
    assert not hasattr(voeflow, "Evnt")
    with pytest.raises(AttributeError, match="module 'voeflow' has no attribute 'Evnt'"):
        voeflow.Evnt  # type: ignore[attr-defined]  # noqa: B018 - the point of the test


def test_who_imports_voeflow_waits_for_none_of_them() -> None:
    program = (
        "import sys, voeflow; assert 'voeflow._event' not in sys.modules and 'lxml' not in sys.modules\n"
        "from voeflow import *; assert Event is voeflow.Event; print('voeflow._event' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
