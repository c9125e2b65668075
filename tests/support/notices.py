"""The notices that the tests have, and mapping them one after another as a node would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from voeflow import Event, Mapped, Notice
from voeflow_mappings import register_mappings

NOTICES = Path(__file__).parents[1] / "mappings/notices"
#: Their names, LVK's first and those of one event in their order.
NAMES = (
    "lvk-early-warning", "lvk-preliminary", "lvk-initial", "lvk-update", "lvk-retraction", "lvk-mock-burst",
    "burstcube-test", "chime-detection", "chime-retraction", "einstein-probe", "gbm-alert", "gbm-flight",
    "gbm-ground", "guano-retraction", "icecube-first", "icecube-revision", "km3net", "maxi-box", "svom-test",
)  # fmt: skip


def notice(name: str) -> Notice:
    """One of the tests' notices, with the topic that it would have come by."""
    topic = "igwn.gwalert" if name.startswith("lvk") else "gcn.notices.somewhere.alert"
    return Notice((NOTICES / f"{name}.json").read_bytes(), topic=topic)


def changed(name: str, **changes: Any) -> Notice:
    """One of the tests' notices with other values in its fields; `event__far` is `event.far`; ... is none."""
    one = notice(name)
    content = json.loads(one.content)
    for key, value in changes.items():
        *outer, last = key.split("__")
        inner = content
        for each in outer:
            inner = inner[each]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return attrs.evolve(one, content=json.dumps(content).encode())


@attrs.define
class Mapper:
    """Maps notices by the built-in mappings, and remembers the IVORNs as a node's store does."""

    log: list[str] = attrs.field(factory=list)

    def earlier(self, prefix: str) -> Sequence[str]:
        """The IVORNs with that prefix, in the order of the log."""
        return [ivorn for ivorn in self.log if ivorn.startswith(prefix)]

    def mapped(self, one: Notice) -> Mapped:
        """What a notice becomes."""
        made = register_mappings()[
            "igwn-gwalert" if one.topic == "igwn.gwalert" else "gcn-unified"
        ].map(one, self.earlier)  # fmt: skip
        assert made is not None
        return made

    def one_after_another(self, *names: str) -> list[Mapped]:
        """What notices become that come in this order."""
        made = []
        for name in names:
            made.append(self.mapped(notice(name)))
            self.event(name)
        return made

    def event(self, one: Notice | str) -> Event:
        """The event that a notice becomes, which is then in the log."""
        event = Event.parse(self.mapped(notice(one) if isinstance(one, str) else one).packet)
        self.log.append(event.ivorn)
        return event
