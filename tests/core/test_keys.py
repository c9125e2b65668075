from __future__ import annotations

from pathlib import Path

import attrs
import pytest

import voeflow
from support.nodes import read


@attrs.frozen
class Plain:
    def handle(self, event: voeflow.Event) -> None: ...


@pytest.mark.parametrize(
    ("keys", "own", "retries", "give_up_after"),
    [
        ("", {}, 5, None),
        ("retries = 0", {}, 0, None),
        ('give_up_after = "1 day"', {}, None, 86400.0),
        ('give_up_after = "1 day"\nretries = 9', {}, 9, 86400.0),
        ("", {"retries": 7}, 7, None),
        ("", {"give_up_after": 60.0}, None, 60.0),
        ("", {"give_up_after": 60.0, "retries": 7}, 7, 60.0),
        ("retries = 21", {"give_up_after": 60.0}, 21, None),
        ("give_up_after = 30", {"retries": 7}, None, 30.0),
    ],
)
def test_a_table_that_says_when_to_give_up_leaves_its_class_no_say(
    tmp_path: Path, keys: str, own: dict[str, float], retries: int | None, give_up_after: float | None
) -> None:
    class Plugin:
        @voeflow.hookimpl
        def register_handlers(self) -> dict[str, type]:
            return {"own": type("Own", (Plain,), own)}

    toml = f'[transports.in]\nplugin = "hand"\n[handlers.x]\nplugin = "own"\n{keys}\n'
    pipeline, _ = read(tmp_path, toml, [Plugin()])
    assert (pipeline.handlers["x"].retries, pipeline.handlers["x"].give_up_after) == (retries, give_up_after)


def test_a_time_of_nothing_is_refused(tmp_path: Path) -> None:
    toml = '[transports.in]\nplugin = "hand"\n[handlers.x]\nplugin = "notebook"\ngive_up_after = 0\n'
    with pytest.raises(voeflow.PipelineError, match=r"handlers\.x\.give_up_after: expected more than 0"):
        read(tmp_path, toml)
