"""Runs one target under atheris, in a process of its own: `python -m fuzz.run TARGET LIBFUZZER-OPTION...`."""

from __future__ import annotations

import sys

import atheris

OURS = ["voeflow", "voeflow_transports", "voeflow_filters", "voeflow_handlers", "voeflow_mappings", "fuzz"]


def main() -> None:
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=OURS):
        from fuzz import target

        one = target(name)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
