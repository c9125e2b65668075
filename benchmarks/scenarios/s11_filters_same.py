"""200 subscribers with a filter each, all the same."""

from __future__ import annotations

from benchmarks.filtered import filtered

SCENARIO = filtered("filters-same", different=False, goal=0.2)
