"""Grammars are compiled for the first time in one thread at a time, or libxml2's own tables break."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Two threads ask for a grammar at once in a process that has compiled none yet, again and again: without the
#: lock, one in a few dozen of these raised "Document is not valid XML Schema" or never ended.
_SCRIPT = """
import os, signal, threading
import voeflow

packet = (
    b'<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="test" ivorn="ivo://a.b/c#d">'
    b"<Who/></v:VOEvent>"
)
for _ in range(400):
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


@pytest.mark.slow
def test_two_threads_may_ask_for_a_grammar_first() -> None:
    ran = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.returncode == 0
