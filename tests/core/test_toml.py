from __future__ import annotations

from pathlib import Path

import pytest

from voeflow import Mistake, PipelineError
from voeflow._toml import read_toml


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "pipeline.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def only_mistake(path: Path) -> Mistake:
    with pytest.raises(PipelineError) as raised:
        read_toml(path, {})
    assert raised.value.path == path
    (mistake,) = raised.value.mistakes
    return mistake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${NAME}", "value"),
        ("a${NAME}b${NAME}", "avaluebvalue"),
        ("${EMPTY}", ""),
        ("${NAME:-other}", "value"),
        ("${EMPTY:-other}", "other"),
        ("${UNSET:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${NAME:?say so}", "value"),
        ("$$", "$"),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$value"),
        ("^a$ costs $5", "^a$ costs $5"),
    ],
)
def test_references_are_replaced(tmp_path: Path, text: str, expected: str) -> None:
    path = written(tmp_path, f"[t]\nkey = [{{ deep = '{text}' }}]")
    document = read_toml(path, {"NAME": "value", "EMPTY": ""})
    assert document.mistakes == ()
    assert document.table == {"t": {"key": [{"deep": expected}]}}


def test_what_a_reference_stands_for_is_not_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, 'key = "${NAME}"')
    assert read_toml(path, {"NAME": "${OTHER} $$"}).table == {"key": "${OTHER} $$"}


SECRET = "set it for whatever runs voeflow: a secret has no place in this file"
FORMS = "${NAME}, ${NAME:-default} or ${NAME:?what to say}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${UNSET}", "the environment variable UNSET is not set; set it, or write ${UNSET:-default}"),
        ("${MAIL_PASSWORD}", f"the environment variable MAIL_PASSWORD is not set; {SECRET}"),
        ("${UNSET:?ask the mail admin}", "the environment variable UNSET is not set: ask the mail admin"),
        ("${EMPTY:?}", "the environment variable EMPTY is not set: it is needed here"),
        ("${NAME", "the reference '${NAME' has no closing brace; write ${NAME}, or $$ for a dollar sign"),
        ("${1}", f"expected {FORMS}, got '${{1}}'; $$ is a dollar sign"),
        ("${NAME:+x}", f"expected {FORMS}, got '${{NAME:+x}}'; $$ is a dollar sign"),
    ],
)
def test_a_reference_that_stands_for_nothing_is_told_with_table_and_key(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = written(tmp_path, f"[handlers.duty]\nto = ['fine', '{text}']")
    document = read_toml(path, {"NAME": "value", "EMPTY": ""})
    assert document.mistakes == (Mistake("handlers.duty.to[1]", problem),)


def test_every_reference_that_stands_for_nothing_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, 'a = "${A}"\nb = "${B}"')
    assert [mistake.where for mistake in read_toml(path, {}).mistakes] == ["a", "b"]


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    mistake = only_mistake(tmp_path / "nothing.toml")
    assert str(mistake) == "there is no such file (`voeflow init` makes one to start from)"


def test_a_folder_is_told_from_a_file(tmp_path: Path) -> None:
    assert "is a directory" in only_mistake(tmp_path).problem


def test_bad_toml_is_told_with_line_and_column(tmp_path: Path) -> None:
    mistake = only_mistake(written(tmp_path, "a = 1\nb = = 2\n"))
    assert mistake.problem.startswith("is no valid TOML: ")
    assert "line 2, column 5" in mistake.problem


def test_what_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    mistake = only_mistake(written(tmp_path, b"a = 1\nb = '\xe9'\n"))
    assert mistake == Mistake("", "line 2 is not UTF-8", "save the file as UTF-8")


def test_nesting_without_end_is_a_mistake_and_no_crash(tmp_path: Path) -> None:
    assert "nested too deeply" in only_mistake(written(tmp_path, "a = " + "[" * 100_000)).problem


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\n")

    assert read_toml(path, {}).table == {"a": 1}


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("plugin = save", "straight quotes"),
        ("plugin = “save”", "straight quotes"),
        ("overlap = True", "written small"),
        ('directory = "C:\\users"', "single quotes"),
        ('directory = "C:\\data"', "single quotes"),
        ("timeout = 30 s", 'as in "30 s"'),
        ("[handlers.a]\n[handlers.a]", "rename or remove one"),
        ("a = 1\na = 2\n", "remove one"),
        ('plugin = "save\nb = 1', "a quote is not closed"),
        ("plugin: 5", "KEY = VALUE"),
        ("[handlers.my slew]", "[filters.NAME]"),
        ("<?xml version='1.0'?>", "the pipeline file comes first"),
    ],
)
def test_what_is_no_toml_is_told_with_a_remedy(tmp_path: Path, text: str, remedy: str) -> None:
    assert remedy in only_mistake(written(tmp_path, text)).remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[handlers.a]\n[handlers.a]",
            "column 12: the table [handlers.a] is there twice (rename or remove one)",
        ),
        ('["a b"]\n["a b"]', 'column 7: the table ["a b"] is there twice (rename or remove one)'),
        (
            "[tests]\n[tests]",
            "column 7: the table [tests] is there twice (of several tests, each is written [[tests]])",
        ),
        (
            "a = {}\na.b = 1\n\n",
            "column 8: the table a was complete before this line (write all of it in one place)",
        ),
    ],
)
def test_a_table_that_is_there_twice_is_named_as_it_is_written(tmp_path: Path, text: str, told: str) -> None:
    assert str(only_mistake(written(tmp_path, text))) == f"is no valid TOML: line 2, {told}"
