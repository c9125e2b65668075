"""The entry points of what is installed, found as `importlib.metadata` would, in a tenth of the time.

That imports what reads e-mail and zip files, and reads the entry points of all groups: a twentieth of the
time in which a node starts. Here what installers write into directories is read: `NAME-VERSION.dist-info`
beside the packages, with `entry_points.txt` and `METADATA` in it (or `.egg-info`, with `PKG-INFO`). Wherever
distributions may be found in any other way, `importlib.metadata` is asked.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from typing import Any, NamedTuple

#: What the name of a distribution's directory ends with, and the file in it that has its name and version.
_INFO = {"dist-info": "METADATA", "egg-info": "PKG-INFO"}


class EntryPoint(NamedTuple):
    """Something that a distribution offers.

    Attributes:
        distribution: the name and version of the distribution.
        name: what it is called.
        value: where it is: `package.module`, or `package.module:Name`.
    """

    distribution: str
    name: str
    value: str

    def load(self) -> Any:
        """Import it."""
        module, _, attribute = self.value.partition("[")[0].partition(":")
        found = importlib.import_module(module.strip())
        for name in filter(None, attribute.strip().split(".")):
            found = getattr(found, name)
        return found


def entry_points(group: str, path: Sequence[str] = sys.path) -> list[EntryPoint]:
    """Give the entry points of a group, in an order that is always the same.

    Args:
        group: its name.
        path: where packages are found.
    """
    if path is sys.path and not _are_all_in_directories():
        return sorted(_of_the_library(group))
    return sorted(_in_directories(group, path))


def _are_all_in_directories() -> bool:
    others = any(hasattr(each, "find_distributions") for each in sys.meta_path if each is not PathFinder)
    return not others and not any(each.endswith(".egg") or os.path.isfile(each) for each in sys.path)


def _in_directories(group: str, path: Sequence[str]) -> Iterator[EntryPoint]:
    seen: set[str] = set()  # the first of a name is the one that is imported
    for directory in path:
        try:
            inside = os.listdir(directory or ".")
        except OSError:
            continue
        for child in inside:
            stem, _, ending = child.rpartition(".")
            about = _INFO.get(ending.lower())
            if about is None:
                continue
            name = re.sub("[-_.]+", "_", stem.partition("-")[0]).lower()
            if name not in seen:
                seen.add(name)
                offered = list(_read(os.path.join(directory, child, "entry_points.txt"), group))
                distribution = _name_and_version(os.path.join(directory, child, about)) if offered else ""
                yield from (EntryPoint(distribution, *each) for each in offered)


def _read(path: str, group: str) -> Iterator[tuple[str, str]]:
    """Give the names and values of a group in a file of entry points."""
    inside = False
    for line in map(str.strip, _lines(path)):
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _name_and_version(path: str) -> str:
    """Give what a file of metadata says at its top; its text below has lines that look alike."""
    found = {"name": "an unknown distribution", "version": ""}
    for line in _lines(path):
        if not line:
            break
        field, _, value = line.partition(":")
        if field.lower() in found:
            found[field.lower()] = value.strip()
    return " ".join(filter(None, found.values()))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _of_the_library(group: str) -> Iterator[EntryPoint]:
    from importlib import metadata

    for each in metadata.entry_points(group=group):
        about = each.dist.metadata if each.dist is not None else None  # is read anew whenever it is asked for
        distribution = (
            f"{about['Name']} {about['Version']}" if about is not None else "an unknown distribution"
        )
        yield EntryPoint(distribution, each.name, each.value)
