"""What plugin code raises is put into words, with the place in its author's own code."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from voeflow._raised import describe


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two files, beside another author's library that fails."""
    (tmp_path / "anothers.py").write_text("def work(value):\n    return value.nothing\n")
    directory = tmp_path / "mine"
    directory.mkdir()
    (directory / "__init__.py").write_text("from .filter import ask\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("mine", "mine.filter", "anothers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return directory


def below(error: BaseException) -> BaseException:
    """Give an error without this file's own frame: what calls plugins is not looked at."""
    assert error.__traceback__ is not None
    return error.with_traceback(error.__traceback__.tb_next)


def test_an_import_that_fails_is_told_with_the_line_of_the_plugin_s_own_file(package: Path) -> None:
    (package / "filter.py").write_text("import attrs\nimport voeflo\n")

    with pytest.raises(ImportError) as caught:
        importlib.metadata.EntryPoint("mine", "mine", "voeflow").load()
    assert describe(below(caught.value)) == "ModuleNotFoundError: No module named 'voeflo' (filter.py:2)"


def test_what_fails_in_a_library_is_told_with_the_line_that_called_it(package: Path) -> None:
    (package / "filter.py").write_text("import anothers\n\ndef ask():\n    return anothers.work(1)\n")
    ask = importlib.import_module("mine").ask
    with pytest.raises(AttributeError) as caught:
        ask()

    assert (
        describe(below(caught.value))
        == "AttributeError: 'int' object has no attribute 'nothing' (filter.py:4)"
    )


def test_an_error_that_speaks_for_itself_has_no_place() -> None:
    assert (
        describe(FileNotFoundError(2, "No such file", "x"))
        == "FileNotFoundError: [Errno 2] No such file: 'x'"
    )


def test_a_group_is_told_by_its_leaves() -> None:
    group = ExceptionGroup("two", [ValueError("a"), ExceptionGroup("one", [OSError("b")])])
    assert describe(group) == "ValueError: a; OSError: b"
