"""`voeflow new`: a beginning for something of one's own."""

from __future__ import annotations

import re
from importlib import metadata, resources
from pathlib import Path

import click

from voeflow import _wall
from voeflow._command._pipelines import fail
from voeflow._text import printable

#: What is written, by the template that it is made of. `@MODULE@` in a path is the import package's name.
FILES = {
    "pyproject.toml.in": "pyproject.toml",
    "README.md.in": "README.md",
    "LICENSE.in": "LICENSE",
    "gitignore.in": ".gitignore",
    "pipeline.toml.in": "pipeline.toml",
    "init.py.in": "src/@MODULE@/__init__.py",
    "filter.py.in": "src/@MODULE@/filter.py",
    "handler.py.in": "src/@MODULE@/handler.py",
    "transport.py.in": "src/@MODULE@/transport.py",
    "test_filter.py.in": "tests/test_filter.py",
    "test_handler.py.in": "tests/test_handler.py",
    "test_transport.py.in": "tests/test_transport.py",
    "test_pipeline.py.in": "tests/test_pipeline.py",
}

#: What every distribution of plugins is called by, so that they are found together.
PREFIX = "voeflow-"

#: The packages that voeflow itself brings as voeflow_NAME, and what may well become one.
TAKEN = frozenset({"core", "filters", "handlers", "mappings", "plugins", "testing", "transports"})

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)

#: The greatest length: a plugin's name has at most 64 characters, and ends in `-folder`.
_LONGEST = 40


@click.group("new")
def command() -> None:
    """Begin something of your own."""


@command.command("plugin", short_help="Write a distribution of plugins that works at once.")
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="Where the new directory goes; here, if left out.",
)
def plugin(name: str, directory: Path) -> None:
    """Write a distribution of plugins, voeflow-NAME, that installs and works at once.

    It has a filter, a handler and a transport to keep or delete, tests that pass, a pipeline that uses them,
    a README and a licence. NAME is small letters, digits and hyphens. Exit status: 0; 1 if it cannot be
    written, or something is there already; 2 if the name is none.
    """
    short = name.lower().replace("_", "-").removeprefix(PREFIX)
    if problem := _why_no_name(short):
        raise click.BadParameter(f"{printable(name, 80)!r}: {problem}", param_hint="NAME")
    distribution = PREFIX + short
    root = directory / distribution
    names = {
        "@DIST@": distribution,
        "@MODULE@": distribution.replace("-", "_"),
        "@SHORT@": short,
        "@VERSION@": metadata.version("voeflow"),
        "@YEAR@": str(_wall.utcnow().year),
    }
    try:
        root.mkdir(parents=True)
        for template, path in FILES.items():
            _write(root / _filled(path, names), _filled(_template(template), names).encode())
        _write(root / "src" / names["@MODULE@"] / "py.typed", b"")
        sample = resources.files("voeflow.testing") / "packets/burst.xml"
        _write(root / "packets/burst.xml", sample.read_bytes())
    except FileExistsError:
        fail(f"{root} is there already, and is left as it is.", 1)
    except OSError as error:
        fail(f"{root} cannot be written: {error.strerror}.", 1)
    click.echo(f"Wrote {root}. Next: cd {root}, then pip install --editable '.[test]', then pytest")


def _why_no_name(short: str) -> str:
    """Say why there can be no distribution of this name; empty if there can."""
    if not _NAME.fullmatch(short):
        return "expected small letters, digits and single hyphens, beginning with a letter, such as my-site"
    if len(short) > _LONGEST:
        return f"expected at most {_LONGEST} characters, got {len(short)}"
    if short in TAKEN or short == "voeflow":
        return "voeflow has a package of that name itself; choose another"
    return ""


def _template(name: str) -> str:
    return (resources.files("voeflow._command") / "new_plugin" / name).read_text(encoding="utf-8")


def _filled(text: str, names: dict[str, str]) -> str:
    for placeholder, value in names.items():
        text = text.replace(placeholder, value)
    return text


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
