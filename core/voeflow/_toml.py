"""Reading a pipeline file: the only module that knows TOML, and the environment that its strings refer to."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from voeflow._errors import Mistake, PipelineError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<inside>[^}]*)(?P<closed>\}?))")


@attrs.frozen
class Document:
    """A TOML file with its references to the environment replaced.

    Attributes:
        table: its keys and values.
        mistakes: the references that could not be replaced, where the strings stand as they were written.
    """

    table: Mapping[str, Any]
    mistakes: tuple[Mistake, ...]


def read_toml(path: Path, environ: Mapping[str, str]) -> Document:
    """Read a TOML file and replace the references to the environment in its strings.

    They are `${NAME}`, `${NAME:-default}` and `${NAME:?what to say}`; `$$` is a dollar sign. As in a shell,
    `:-` and `:?` take a variable that is set but empty for one that is not set. A `$` before anything but
    `{` and `$` is a dollar sign.

    Args:
        path: the file.
        environ: the environment, such as `os.environ`.

    Returns:
        The tables, and the mistakes in their references.

    Raises:
        PipelineError: the file cannot be read, or is no TOML; with line and column.
    """
    try:
        table = tomllib.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8).decode())
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file", "`voeflow init` makes one to start from") from None
    except IsADirectoryError:
        raise _unreadable(path, "is a directory", f"name the file in it: {path / 'pipeline.toml'}") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _unreadable(path, f"line {line} is not UTF-8", "save the file as UTF-8") from error
    except RecursionError as error:
        raise _unreadable(path, "is nested too deeply") from error
    except ValueError as error:  # tomllib's own, which says at which line and column, and int()'s
        raise _unreadable(path, f"is no valid TOML: {error}") from error
    mistakes: list[Mistake] = []
    return Document(
        {key: _expanded(value, key, environ, mistakes) for key, value in table.items()}, tuple(mistakes)
    )


def _unreadable(path: Path, problem: str, remedy: str = "") -> PipelineError:
    return PipelineError(path, [Mistake("", problem, remedy)])


def _expanded(value: Any, where: str, environ: Mapping[str, str], mistakes: list[Mistake]) -> Any:
    if isinstance(value, dict):
        return {key: _expanded(each, f"{where}.{key}", environ, mistakes) for key, each in value.items()}
    if isinstance(value, list):
        return [_expanded(each, f"{where}[{n}]", environ, mistakes) for n, each in enumerate(value)]
    if isinstance(value, str) and "$" in value:
        try:
            return _REFERENCE.sub(lambda found: _replacement(found, environ), value)
        except ValueError as error:
            mistakes.append(Mistake(where, str(error)))
    return value


def _replacement(found: re.Match[str], environ: Mapping[str, str]) -> str:
    """Give what one reference stands for.

    Raises:
        ValueError: it stands for nothing; the message says why and what to do.
    """
    if found["dollar"]:
        return "$"
    if not found["closed"]:
        raise ValueError(
            f"the reference {found[0]!r} has no closing brace; write ${{NAME}}, or $$ for a dollar sign"
        )
    reference = _NAME.match(found["inside"])
    name = reference[0] if reference else ""
    operator, argument = found["inside"][len(name) :][:2], found["inside"][len(name) + 2 :]
    if not name or operator not in ("", ":-", ":?"):
        raise ValueError(
            f"expected ${{NAME}}, ${{NAME:-default}} or ${{NAME:?what to say}}, got {found[0]!r};"
            " $$ is a dollar sign"
        )
    text = environ.get(name)
    if operator == ":-":
        return text or argument
    if operator == ":?" and not text:
        raise ValueError(f"the environment variable {name} is not set: {argument or 'it is needed here'}")
    if text is None:
        raise ValueError(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    return text
