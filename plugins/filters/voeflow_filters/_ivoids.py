"""IVOIDs compared as IVOA Identifiers 2.0, section 2.2, has it: upper and lower case are the same."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable


def folded(ivoid: str) -> str:
    """Fold the case of the ASCII letters alone: no letter of another script may pass for one of them."""
    return "".join(c.lower() if c.isascii() else c for c in ivoid)


def compile_globs(globs: Iterable[str]) -> re.Pattern[str]:
    """Make one expression that matches, in full, the folded IVOIDs that one of the globs does.

    Args:
        globs: at least one; `*` is any run of characters, `/` and `#` too, `?` is one character, and
            `[abc]` one of those.

    Returns:
        What is to be asked with `match`.
    """
    return re.compile("|".join(fnmatch.translate(folded(glob)) for glob in globs))
