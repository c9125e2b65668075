"""A password or token that no log, message or traceback shows."""

from __future__ import annotations


class Secret:
    """A secret text, read from the environment or a file, which shows itself only when asked to.

    In a pipeline it is a string, best of all `"${NAME}"`, or `{ file = "path" }`. It is deliberately no attrs
    class and no str: `attrs.asdict` and string formatting would give it away.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself; only where it is used."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('******')"

    def __str__(self) -> str:
        return "******"
