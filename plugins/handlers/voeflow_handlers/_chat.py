"""Text of a packet in a chat, where some characters have a meaning: no packet calls a channel together."""

from __future__ import annotations

import re

#: The longest text that is sent, in characters. Slack asks for no more than 4000 (chat.postMessage, "text").
TEXT_MAX = 4000

#: What CommonMark 0.31, section 2.4, lets a backslash take the meaning of, as far as Mattermost gives it one.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")

#: A blank of no width: after it, `@` and `:` mean nothing, and look the same.
_NOTHING = "\u200b"


def slack_text(text: str) -> str:
    """Escape text for Slack, as it asks for: `&`, `<` and `>`, which also begin every mention and link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mattermost_text(text: str) -> str:
    """Escape text for Mattermost: its Markdown, and mentions such as `@channel`, which wake everyone."""
    return _MARKDOWN.sub(r"\\\1", text).replace("@", f"@{_NOTHING}")
