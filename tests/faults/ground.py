"""Where a case takes place: its directory, its processes, and what has to be undone however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Self

from interop.processes import PATIENCE, NeverHappenedError
from interop.stage import Node, voeflow

#: How often what cannot be waited on is looked at, in seconds.
LOOK_AGAIN = 0.05


class Ground:
    """A directory with nodes and file systems in it; leaving its context ends and unmounts them all.

    Args:
        directory: an empty directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.nodes: list[Node] = []
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def room(self, name: str) -> Path:
        """Make a directory, or give it where it is there."""
        room = self.directory / name
        room.mkdir(parents=True, exist_ok=True)
        return room

    def node(self, pipeline: str, *, name: str = "node", ready: bool = True) -> Node:
        """Run a node, in the same directory as any before it of that name; wait until it is ready."""
        room = self.room(name)
        (room / "pipeline.toml").write_text(pipeline, encoding="utf-8")
        node = Node(name, voeflow("run", "pipeline.toml", "--log-format", "json"), room)
        self.nodes.append(node)
        self.stack.callback(node.kill)
        if ready:
            node.wait_until_told("node ready")
        return node

    def bugs(self) -> list[str]:
        """Give what nodes have said of bugs of their own."""
        return [
            f"{node.name} met a bug: {line[:2000]}"
            for node in self.nodes
            for line in node.lines()
            if line.startswith("Traceback") or (line.startswith("{") and "exception" in json.loads(line))
        ]

    def mount(self, name: str, size: int) -> bool:
        """Mount a file system of `size` bytes on a directory; False where this user may not."""
        place = self.room(name)
        options = f"size={size},mode=755"
        if _ran("mount", "-t", "tmpfs", "-o", options, "voeflow-faults", place):
            self.stack.callback(_ran, "umount", "--lazy", place)
            return True
        return False

    def remount(self, name: str, how: Literal["ro", "rw"]) -> None:
        """Mount a file system of this ground anew, read-only or not."""
        assert _ran("mount", "-o", f"remount,{how}", self.room(name))

    def freeze(self, *paths: Path) -> bool:
        """Keep files from being written, though they are open for it already.

        It is ext4 that refuses writes to an immutable file from who had it open, and root who may ask.
        """
        self.stack.callback(_ran, "chattr", "-i", *paths)
        return _ran("chattr", "+i", *paths)

    def thaw(self, *paths: Path) -> bool:
        """Let files be written again."""
        return _ran("chattr", "-i", *paths)

    def can_freeze(self) -> bool:
        """Whether files can be frozen here."""
        probe = self.directory / "probe"
        with probe.open("wb", buffering=0) as file:
            file.write(b"open")
            if not self.freeze(probe):
                return False
            try:
                file.write(b"frozen")
            except PermissionError:
                return True
            finally:
                self.thaw(probe)
        return False


def killed(node: Node) -> None:
    """Kill a node as the kernel does when memory runs out, and see it dead."""
    node.signal(signal.SIGKILL)
    assert node.wait() == -signal.SIGKILL, node.transcript()
    node.kill()


def settle(what: str, done: Callable[[], int], number: int, *nodes: Node, patience: float = PATIENCE) -> bool:
    """Wait until `done()` has grown to `number`, for as long as it grows.

    Returns:
        Whether it has; False once it has not grown for `patience` seconds.
    """
    seen, deadline = -1, 0.0
    while (count := done()) < number:
        now = time.monotonic()
        if count > seen:
            seen, deadline = count, now + patience
        elif now > deadline:
            print(f"{what}: {count} of {number}, and no more in {patience:g} s", file=sys.stderr)
            for node in nodes:
                print(node.transcript(), file=sys.stderr)
            return False
        time.sleep(LOOK_AGAIN)
    return True


def wait_until(what: str, happened: Callable[[], bool], *nodes: Node, patience: float = PATIENCE) -> None:
    """Wait for what cannot be waited on.

    Raises:
        NeverHappenedError: it did not happen within `patience` seconds.
    """
    if not settle(what, happened, True, *nodes, patience=patience):
        raise NeverHappenedError(f"never came: {what}")


def memory(node: Node, kind: str = "VmRSS") -> int:
    """Give a node's resident memory in bytes; `VmHWM` is the most that it ever had."""
    for line in Path(f"/proc/{node.pid}/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == kind:
            return int(value.split()[0]) * 1024
    raise NeverHappenedError(f"the kernel says nothing of {kind}")


def _ran(*words: str | Path) -> bool:
    try:
        return (
            subprocess.run([os.fspath(word) for word in words], capture_output=True, check=False).returncode
            == 0
        )
    except FileNotFoundError:
        return False
