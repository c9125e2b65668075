"""One author connection after another: what an event costs when nothing waits."""

from __future__ import annotations

from benchmarks.authors_at_once import authors_at_once

SCENARIO = authors_at_once(1, "authors-1", goal=1.7, limit_goal=0.8)
