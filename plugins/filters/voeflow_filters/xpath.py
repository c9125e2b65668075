"""The `xpath` filter: any question about a packet's content."""

from __future__ import annotations

import attrs

import voeflow


# Not `inline`: an expression that an operator wrote may be trusted to mean well, but not to be quick. One
# with `//` inside a predicate visits the whole packet for each of its elements, which in a packet of 1 MiB
# takes seconds. The hop to a worker thread costs about a tenth of a millisecond.
@attrs.frozen
class XPathFilter:
    """Pass events for which an XPath 1.0 expression holds.

    The result is judged as XPath's own `boolean()` does: some node found, a number that is neither 0 nor NaN,
    a string that is not empty. No namespace prefixes are defined; below the root, VOEvent has no namespace,
    so plain names find everything.

        [filters.far_from_sun]
        plugin = "xpath"
        expression = '//Param[@name="Sun_Distance" and @value>40]'
    """

    expression: voeflow.XPath = attrs.field(
        metadata={"help": "an XPath 1.0 expression; the event passes where it holds"},
    )

    def matches(self, event: voeflow.Event) -> bool:
        """Say whether the expression holds for the event's packet."""
        return self.expression.holds(event)
