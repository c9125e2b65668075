"""Coverage-guided fuzzing of what reads bytes from outside: `make fuzz`, or `python -m fuzz [TARGET...]`.

Each target is a module with one function, `one(data)`, which reads `data` as voeflow would and asserts what
has to hold whatever the bytes are. `corpus/TARGET/` holds what it begins from: packets and files of our own,
and, under names that begin with `found-`, every input that once showed a fault. The ordinary suite replays
them all (`tests/fuzz`), without atheris.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

#: What is fuzzed, and the longest input of each, in bytes.
TARGETS = {
    "framing": 4096,
    "messages": 8192,
    "events": 16384,
    "when": 2048,
    "pipelines": 4096,
    "signatures": 16384,
}


def target(name: str) -> Callable[[bytes], None]:
    """Give the function that a target is."""
    function: Callable[[bytes], None] = importlib.import_module(f"fuzz.{name}").one
    return function


def corpus(name: str) -> list[Path]:
    """Give the files that a target begins from."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())
