"""Grammars are compiled for the first time in one thread at a time, or libxml2's own tables break."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import voeflow
from support.samples import voevent
from voeflow import _grammar

#: Two threads ask for a grammar at once in a process that has compiled none yet, again and again: without the
#: lock, one in a few dozen of these raised "Document is not valid XML Schema" or never ended.
_SCRIPT = """
import os, signal, threading
import voeflow

packet = (
    b'<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="test" ivorn="ivo://a.b/c#d">'
    b"<Who/></v:VOEvent>"
)
for _ in range(100):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # ends one that hangs, whatever its threads do
        together, found = threading.Barrier(2), []
        def ask():
            event = voeflow.Event.parse(packet)
            together.wait()
            found.append(event.defects)
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(found != [(), ()])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise SystemExit(f"a process ended with status {status}")
"""


class Compiling:
    """Takes the place of lxml's grammars, and notes how many threads are in it at once."""

    def __init__(self, compiled: Any, threads: int) -> None:
        self.compiled = compiled
        self.threads = threading.Barrier(threads)
        self.within = threading.Lock()
        self.most = 0

    def __call__(self, document: Any) -> Any:
        alone = self.within.acquire(blocking=False)
        self.most = max(self.most, 1 if alone else 2)
        try:
            return self.compiled(document)
        finally:
            if alone:
                self.within.release()

    def ask(self, event: voeflow.Event) -> object:
        self.threads.wait(60)
        return event.defects


def test_of_many_threads_that_need_a_grammar_one_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_grammar, "_spare", defaultdict(deque))
    compiling = Compiling(_grammar.etree.XMLSchema, threads=8)
    monkeypatch.setattr(_grammar.etree, "XMLSchema", compiling)
    events = [voeflow.Event.parse(voevent(f"ivo://a.b/c#{number}")) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(compiling.ask, events)) == {()}
    assert compiling.most == 1


@pytest.mark.slow
def test_two_threads_may_ask_for_a_grammar_first() -> None:
    ran = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.returncode == 0
