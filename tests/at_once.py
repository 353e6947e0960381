"""The same done by several threads at once, as several processes would."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
R = TypeVar("R")


def at_once(act: Callable[[T], R], each: Collection[T], *, threads: int | None = None) -> list[R]:
    """What `act` returns for each, a thread for each or as many as `threads`; with connections of their own."""

    def apart(one: T) -> R:
        try:
            return act(one)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads or len(each)) as pool:
        return list(pool.map(apart, each))
