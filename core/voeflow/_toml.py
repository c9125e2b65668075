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
from voeflow._masking import is_secret
from voeflow._toml_hints import problem_of

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<inside>[^}]*)(?P<closed>\}?))")


@attrs.frozen(eq=False, repr=False)
class Document:
    """A TOML file with its references to the environment replaced.

    Attributes:
        table: its keys and values.
        mistakes: the references that could not be replaced, where the strings stand as they were written.
        secrets: what was put in for references to variables that, by their names, hold secrets; and the
            references.
    """

    table: Mapping[str, Any]
    mistakes: tuple[Mistake, ...]
    secrets: Mapping[str, str] = attrs.field(factory=dict, repr=False)


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
    text = ""
    try:
        text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode()
        table = tomllib.loads(text)
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
        raise _unreadable(path, *problem_of(text, str(error))) from error
    reading = _Reading(environ)
    expanded = {key: reading.expanded(value, key) for key, value in table.items()}
    return Document(expanded, tuple(reading.mistakes), reading.secrets)


def _unreadable(path: Path, problem: str, remedy: str = "") -> PipelineError:
    return PipelineError(path, [Mistake("", problem, remedy)])


@attrs.define(eq=False, repr=False)
class _Reading:
    """What is found while references are replaced; see `Document`."""

    environ: Mapping[str, str] = attrs.field(repr=False)
    mistakes: list[Mistake] = attrs.field(factory=list)
    secrets: dict[str, str] = attrs.field(factory=dict, repr=False)

    def expanded(self, value: Any, where: str) -> Any:
        """Give a value with its references replaced."""
        if isinstance(value, dict):
            return {key: self.expanded(each, f"{where}.{key}") for key, each in value.items()}
        if isinstance(value, list):
            return [self.expanded(each, f"{where}[{n}]") for n, each in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            try:
                return _REFERENCE.sub(self._replaced, value)
            except ValueError as error:
                self.mistakes.append(Mistake(where, str(error)))
        return value

    def _replaced(self, found: re.Match[str]) -> str:
        text = _replacement(found, self.environ)
        name = _NAME.match(found["inside"] or "")
        if name is not None and is_secret(name[0]):
            self.secrets[text] = f"${{{name[0]}}}"
        return text


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
    if text is None and is_secret(name):
        raise ValueError(
            f"the environment variable {name} is not set; set it for whatever runs voeflow: "
            "a secret has no place in this file"
        )
    if text is None:
        raise ValueError(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    return text
