"""The `role` filter: what an event claims to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import ClassVar

import attrs

import voeflow

#: The roles that a VOEvent may have (VOEvent 2.0, section 3.1.2), in the standard's order.
ROLES = ("observation", "prediction", "utility", "test")


def _known(instance: object, attribute: attrs.Attribute[tuple[str, ...]], roles: tuple[str, ...]) -> None:
    if not roles:
        raise ValueError(f"expected at least one of {', '.join(ROLES)}, got none")
    for role in roles:
        if role not in ROLES:
            near = get_close_matches(str(role), ROLES, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise ValueError(f'expected one or more of {", ".join(ROLES)}, got "{role}"{hint}')


@attrs.frozen
class Role:
    """Pass events whose role is one of `roles`.

    A packet says with its role whether it tells of something seen (`observation`), of something to come
    (`prediction`), of the sender's own state (`utility`), or is not to be acted on at all (`test`). A packet
    without a role is an observation (VOEvent 2.0, section 3.1.2).

        [filters.test]
        plugin = "role"
        roles  = ["test"]
    """

    inline: ClassVar[bool] = True

    roles: tuple[str, ...] = attrs.field(
        validator=_known,
        metadata={
            "help": "the roles that pass: observation, prediction, utility, test; one or a list",
            "one_or_many": True,
        },
    )

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether the event's role is one of those asked for."""
        return voeflow.Verdict(event.role in self.roles, f"role is {voeflow.printable(event.role, 40)}")
