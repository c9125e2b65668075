"""Facts that are worked out when first asked for, and kept."""

from __future__ import annotations

import functools
from typing import Any, Self, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class Kept(functools.cached_property[T_co]):
    """A `functools.cached_property` without a lock; of a class whose instances have a `__dict__`.

    Until Python 3.12 the original has one lock for all instances, so that two threads that read two packets
    would wait for each other. Here two threads that ask the same object at once may both work it out.
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T_co: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        # `attrname` is None only before `__set_name__`, which the class statement has called. This runs
        # for each fact of each event, so that is not asserted.
        value = instance.__dict__[self.attrname] = self.func(instance)  # type: ignore[index]
        return value
