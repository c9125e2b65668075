"""64 author connections at a time: what batches gain."""

from __future__ import annotations

from benchmarks.authors_at_once import authors_at_once

SCENARIO = authors_at_once(64, "authors-64", goal=5.0, limit_goal=0.7)
