"""256 author connections at a time: more than Comet's backlog of 50 holds."""

from __future__ import annotations

from benchmarks.authors_at_once import authors_at_once

SCENARIO = authors_at_once(256, "authors-256", goal=5.0, slowest=80.0, quick=False)
