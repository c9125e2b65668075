"""A node goes on by another pipeline: what did not change is untouched, what cannot be is refused whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import trio
from structlog.testing import capture_logs

import voeflow
from support.nodes import read, running
from support.samples import voevent
from voeflow._changes import keep_unchanged
from voeflow._store import Store

BEFORE = """
[transports.in]
plugin = "hand"
[transports.out]
plugin = "wire"
[filters.test]
plugin = "role"
roles = ["test"]
[handlers.notes]
plugin = "notebook"
"""


@attrs.define(eq=False)
class Door:
    """A transport that holds something only one can hold, as a port."""

    held: ClassVar[set[str]] = set()
    starts: ClassVar[int] = 0
    key: str
    colour: str = "red"

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        if self.key in self.held:
            raise OSError(98, "Address already in use", self.key)
        self.held.add(self.key)
        Door.starts += 1
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            self.held.remove(self.key)


class Doors:
    @voeflow.hookimpl
    def register_transports(self) -> dict[str, type]:
        return {"door": Door}


@pytest.fixture(autouse=True)
def _no_doors() -> None:
    Door.held.clear()
    Door.starts = 0


async def test_what_did_not_change_goes_on_untouched(tmp_path: Path) -> None:
    door = '[transports.door]\nplugin = "door"\nkey = "a"\n'
    async with running(tmp_path, BEFORE + door, [Doors()]) as (pipeline, node):
        new, _ = read(tmp_path, BEFORE + door + '[handlers.more]\nplugin = "notebook"\n', [Doors()])
        await node.reload(new)
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)
        await pipeline.transports["out"].instance.wait(1)
        await new.handlers["more"].instance.wait(1)

    assert Door.starts == 1


async def test_a_filter_goes_on_untouched_unless_a_file_that_it_reads_has_changed(tmp_path: Path) -> None:
    cone = '[filters.ours]\nplugin = "cone"\ntargets = "ours.csv"\nradius = 1\n'
    (tmp_path / "ours.csv").write_text("name,ra,dec\nCrab,83.6,22.0\n")
    before, _ = read(tmp_path, BEFORE + cone)
    same, _ = read(tmp_path, BEFORE + cone)
    (tmp_path / "ours.csv").write_text("name,ra,dec\nVela,128.8,-45.2\n")
    other, _ = read(tmp_path, BEFORE + cone)
    assert keep_unchanged(before, same).filters["ours"] is before.filters["ours"]
    assert keep_unchanged(before, other).filters["ours"] is other.filters["ours"]


async def test_a_new_handler_sees_new_events_only(tmp_path: Path) -> None:
    async with running(tmp_path, BEFORE) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent("ivo://a.bc/d#1"))
        new, _ = read(tmp_path, BEFORE + '[handlers.more]\nplugin = "notebook"\n')
        await node.reload(new)
        await submit(voevent("ivo://a.bc/d#2"))
        seen = await new.handlers["more"].instance.wait(1)

    assert [ivorn for ivorn, _, _ in seen] == ["ivo://a.bc/d#2"]


async def test_a_removed_handler_gets_nothing_more(tmp_path: Path) -> None:
    more = '[handlers.more]\nplugin = "notebook"\n'
    async with running(tmp_path, BEFORE + more) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent("ivo://a.bc/d#1"))
        await pipeline.handlers["more"].instance.wait(1)
        new, _ = read(tmp_path, BEFORE)
        await node.reload(new)
        await submit(voevent("ivo://a.bc/d#2"))
        await pipeline.handlers["notes"].instance.wait(2)

    assert len(pipeline.handlers["more"].instance.seen) == 1


async def test_a_changed_when_holds_from_the_next_event_on(tmp_path: Path) -> None:
    async with running(tmp_path, BEFORE) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent("ivo://a.bc/d#1", role="test"))
        await pipeline.handlers["notes"].instance.wait(1)
        new, _ = read(tmp_path, BEFORE + 'when = "not test"\n')
        await node.reload(new)
        await submit(voevent("ivo://a.bc/d#2", role="test"))
        await submit(voevent("ivo://a.bc/d#3"))
        seen = await new.handlers["notes"].instance.wait(1)

    assert [ivorn for ivorn, _, _ in seen] == ["ivo://a.bc/d#3"]


async def test_a_changed_filter_is_asked_by_sinks_that_did_not_change(tmp_path: Path) -> None:
    toml = BEFORE + 'when = "not test"\n'
    async with running(tmp_path, toml) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        new, _ = read(tmp_path, toml.replace('roles = ["test"]', 'roles = ["utility"]'))
        await node.reload(new)
        await submit(voevent("ivo://a.bc/d#1", role="test"))
        await submit(voevent("ivo://a.bc/d#2", role="utility"))
        await submit(voevent("ivo://a.bc/d#3"))
        seen = await pipeline.handlers["notes"].instance.wait(2)

    assert [ivorn for ivorn, _, _ in seen] == ["ivo://a.bc/d#1", "ivo://a.bc/d#3"]


async def test_a_changed_handler_finishes_what_it_has_in_hand(tmp_path: Path) -> None:
    entered, release = trio.Event(), trio.Event()
    handled: list[tuple[str, str]] = []

    @attrs.define(eq=False)
    class Slow:
        name: str

        async def handle(self, event: voeflow.Event) -> None:
            entered.set()
            await release.wait()
            handled.append((self.name, event.ivorn))

    class Plugin:
        @voeflow.hookimpl
        def register_handlers(self) -> dict[str, type]:
            return {"slow": Slow}

    slow = '[handlers.slow]\nplugin = "slow"\nname = "{}"\n'
    async with running(tmp_path, BEFORE + slow.format("old"), [Plugin()]) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent("ivo://a.bc/d#1"))
        await entered.wait()
        await submit(voevent("ivo://a.bc/d#2"))
        new, _ = read(tmp_path, BEFORE + slow.format("new"), [Plugin()])
        part = node._works._parts["slow"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.reload, new)
            await part.leaving.wait()
            release.set()

    assert handled == [("old", "ivo://a.bc/d#1"), ("new", "ivo://a.bc/d#2")]


async def test_a_changed_transport_may_take_over_what_the_old_one_held(tmp_path: Path) -> None:
    door = '[transports.door]\nplugin = "door"\nkey = "a"\n'
    async with running(tmp_path, BEFORE + door, [Doors()]) as (_, node):
        new, _ = read(tmp_path, BEFORE + door + 'colour = "blue"\n', [Doors()])
        await node.reload(new)

        assert Door.held == {"a"}
    assert Door.starts == 2


async def test_something_new_that_cannot_start_refuses_the_pipeline_whole(tmp_path: Path) -> None:
    door = '[transports.{}]\nplugin = "door"\nkey = "{}"\n'
    async with running(tmp_path, BEFORE + door.format("a", "a"), [Doors()]) as (pipeline, node):
        toml = BEFORE + door.format("a", "a") + door.format("b", "b") + door.format("c", "a")
        new, _ = read(tmp_path, toml + '[handlers.more]\nplugin = "notebook"\n', [Doors()])
        with pytest.raises(voeflow.StartError, match=r"transports\.c: Address already in use"):
            await node.reload(new)
        assert Door.held == {"a"}
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)

    assert new.handlers["more"].instance.seen == []


async def test_a_new_sink_that_could_not_start_is_given_nothing_of_what_came_until_it_can(
    tmp_path: Path,
) -> None:
    had: list[str] = []
    has_second = trio.Event()

    @attrs.define(eq=False)
    class Out(Door):
        """Takes events, once it has what it holds."""

        sink: ClassVar[bool] = True

        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            if self.key in self.held:
                raise OSError(98, "Address already in use", self.key)
            task_status.started()
            while True:
                for delivery in await node.take():
                    had.append(delivery.event.ivorn)
                    delivery.done()
                    if delivery.event.ivorn.endswith("#2"):
                        has_second.set()

    class Outs:
        @voeflow.hookimpl
        def register_transports(self) -> dict[str, type]:
            return {"late": Out}

    more = BEFORE + '[transports.late]\nplugin = "late"\nkey = "x"\n'
    async with running(tmp_path, BEFORE, [Outs()]) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        Door.held.add("x")
        with pytest.raises(voeflow.StartError):
            await node.reload(read(tmp_path, more, [Outs()])[0])
        await submit(voevent("ivo://a.b/c#1"))
        Door.held.clear()
        await node.reload(read(tmp_path, more, [Outs()])[0])
        await submit(voevent("ivo://a.b/c#2"))
        with trio.fail_after(60):
            await has_second.wait()

    assert had == ["ivo://a.b/c#2"]


async def test_a_reload_tells_which_filters_are_others_and_which_changes_could_not_be_made(
    tmp_path: Path,
) -> None:
    door = '[transports.{}]\nplugin = "door"\nkey = "{}"\n'
    more = '[filters.more]\nplugin = "role"\nroles = ["utility"]\n'
    toml = BEFORE + door.format("a", "a") + door.format("b", "b")
    async with running(tmp_path, toml, [Doors()]) as (_, node):
        changed = toml.replace('key = "b"', 'key = "a"').replace('["test"]', '["prediction"]') + more
        with capture_logs() as logs:
            await node.reload(read(tmp_path, changed, [Doors()])[0])

    (line,) = (each for each in logs if each["event"] == "pipeline reloaded")
    assert (line["filters"], line["changed"], line["failed"]) == (["more", "test"], [], ["b"])
    assert line["unchanged"] == 4


async def test_a_changed_transport_that_cannot_start_leaves_the_old_one_at_work(tmp_path: Path) -> None:
    door = '[transports.{}]\nplugin = "door"\nkey = "{}"\n'
    toml = BEFORE + door.format("a", "a") + door.format("b", "b")
    async with running(tmp_path, toml, [Doors()]) as (_, node):
        new, _ = read(tmp_path, BEFORE + door.format("a", "a") + door.format("b", "a"), [Doors()])
        with capture_logs() as logs:
            await node.reload(new)
        assert Door.held == {"a", "b"}

    assert any(line["event"] == "a changed table cannot start: the old one goes on" for line in logs)


async def test_a_changed_transport_of_which_neither_form_can_start_can_be_mended_by_the_next_reload(
    tmp_path: Path,
) -> None:
    door = '[transports.b]\nplugin = "door"\nkey = "{}"\n'

    @attrs.define(eq=False)
    class Thief(Door):
        """Takes what the old one held as it fails to start."""

        async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
            self.held.add("b")
            raise OSError(98, "Address already in use", self.key)

    class Thieves:
        @voeflow.hookimpl
        def register_transports(self) -> dict[str, type]:
            return {"thief": Thief}

    plugins = [Doors(), Thieves()]
    async with running(tmp_path, BEFORE + door.format("b"), plugins) as (_, node):
        new, _ = read(tmp_path, BEFORE + door.format("x").replace('"door"', '"thief"'), plugins)
        with capture_logs() as logs:
            await node.reload(new)
        Door.held.clear()
        mended, _ = read(tmp_path, BEFORE + door.format("c"), plugins)
        await node.reload(mended)
        assert Door.held == {"c"}
        without, _ = read(tmp_path, BEFORE, plugins)
        await node.reload(without)
        assert not Door.held

    assert any("nor can the old one" in line["event"] for line in logs)


async def test_a_store_that_cannot_be_written_refuses_the_pipeline_and_the_node_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Any:
        raise voeflow.StoreError("database or disk is full")

    async with running(tmp_path, BEFORE) as (pipeline, node):
        new, _ = read(tmp_path, BEFORE + '[handlers.more]\nplugin = "notebook"\n')
        with monkeypatch.context() as patch:
            patch.setattr(Store, "open_sinks", full)
            with pytest.raises(voeflow.StartError, match="store: database or disk is full"):
                await node.reload(new)
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)


async def test_another_store_takes_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, BEFORE) as (_, node):
        new, _ = read(tmp_path, 'store = "other.db"\n' + BEFORE)
        with pytest.raises(voeflow.StartError, match="takes a restart"):
            await node.reload(new)


async def test_a_removed_sink_that_comes_back_goes_on_where_it_was(tmp_path: Path) -> None:
    more = '[handlers.more]\nplugin = "notebook"\n'
    async with running(tmp_path, BEFORE + more) as (pipeline, node):
        submit = pipeline.transports["in"].instance.node.submit
        await submit(voevent("ivo://a.bc/d#1"))
        await pipeline.handlers["more"].instance.wait(1)
        await node.reload(read(tmp_path, BEFORE)[0])
        await submit(voevent("ivo://a.bc/d#2"))
        new, _ = read(tmp_path, BEFORE + more)
        await node.reload(new)
        seen: list[Any] = await new.handlers["more"].instance.wait(1)

    assert [ivorn for ivorn, _, _ in seen] == ["ivo://a.bc/d#2"]
    store = Store.open(tmp_path / "voeflow.db")
    assert store.open_sinks(["more"])["more"].cursor == 2
    store.close()


@attrs.define(eq=False)
class Keyring:
    """A transport that reads something when it starts, and again when it is asked to."""

    reads: int = attrs.field(default=0, init=False)
    broken: bool = attrs.field(default=False, init=False)

    async def run(self, node: voeflow.Node, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    def reload(self) -> None:
        self.reads += 1
        if self.broken:
            raise ValueError("the new key does not fit")


class Keyrings:
    @voeflow.hookimpl
    def register_transports(self) -> dict[str, type]:
        return {"keyring": Keyring}


async def test_a_transport_whose_table_says_the_same_is_asked_to_read_its_files_again(tmp_path: Path) -> None:
    toml = BEFORE + '[transports.keys]\nplugin = "keyring"\n'
    async with running(tmp_path, toml, [Keyrings()]) as (pipeline, node):
        keyring = pipeline.transports["keys"].instance
        await node.reload(read(tmp_path, toml, [Keyrings()])[0])
        assert keyring.reads == 1
        keyring.broken = True
        with capture_logs() as logs:
            await node.reload(read(tmp_path, toml, [Keyrings()])[0])
        assert keyring.reads == 2
        (told,) = [each for each in logs if each["log_level"] == "error"]
        assert (told["transport"], told["reason"]) == ("keys", "the new key does not fit")
        await pipeline.transports["in"].instance.node.submit(voevent())
        await pipeline.handlers["notes"].instance.wait(1)
