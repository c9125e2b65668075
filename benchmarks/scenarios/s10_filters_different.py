"""200 subscribers with a filter each, all different."""

from __future__ import annotations

from benchmarks.filtered import filtered

SCENARIO = filtered("filters-different", different=True, goal=0.4)
