"""How those who use something that is to go are told: see docs/reference/compatibility.md."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voeflow._text import printable


class VoeflowDeprecationWarning(DeprecationWarning):
    """Something of voeflow's is used that will go; the message says what to write instead.

    A plugin's author sees it when the plugin's tests run. The operator is told of it in a line when the
    pipeline is read.
    """


#: What a plugin may warn its own users with.
OF_PLUGINS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


@contextmanager
def noted(tell: Callable[[str], None], *categories: type[Warning]) -> Iterator[None]:
    """Have `tell` called with each warning of some categories that is raised in a block, once for each text.

    All other warnings go their usual way.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    told: set[str] = set()
    for each in caught:
        text = printable(str(each.message), 300)
        if not issubclass(each.category, categories):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        elif text not in told:
            told.add(text)
            tell(text)
