"""Pipeline files: TOML to a checked pipeline, or every mistake told in printable lines; nothing else."""

from __future__ import annotations

import functools
import os
import re
import tempfile
from pathlib import Path

import voeflow
from voeflow._pipeline import load_pipeline
from voeflow._plugins import Plugins, load_plugins

#: Files that an operator may name and a fuzzer must not: reading one of these does not end, or waits.
_ENDLESS = re.compile(rb"/(?:dev|proc|sys)\b|\.\./|~")


def one(data: bytes) -> None:
    if _ENDLESS.search(data):
        return
    path = _place()
    path.write_bytes(data)
    try:
        load_pipeline(path, _plugins(), {"NAME": "value", "EMPTY": ""})
    except voeflow.PipelineError as error:
        assert str(error)
        for mistake in error.mistakes:
            assert str(mistake).replace("\n", " ").isprintable(), str(mistake)


@functools.cache
def _plugins() -> Plugins:
    return load_plugins()


@functools.cache
def _place() -> Path:
    shared = Path("/dev/shm")
    directory = tempfile.mkdtemp(
        prefix=f"voeflow-fuzz-{os.getpid()}-", dir=shared if shared.is_dir() else None
    )
    return Path(directory) / "pipeline.toml"
