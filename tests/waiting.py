"""Waiting until something is so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.02  # seconds between two looks


def wait_until(
    condition: Callable[[], T],
    *,
    what: str,
    patience: float = 60.0,
    despite: tuple[type[Exception], ...] = (),
) -> T:
    """The first true value of `condition`, whose errors of the kinds `despite` say that it is not yet so."""
    until = time.monotonic() + patience
    error: Exception | None = None
    while time.monotonic() < until:
        try:
            if value := condition():
                return value
        except despite as raised:
            error = raised
        time.sleep(_PAUSE)
    raise AssertionError(f"not within {patience:g} s: {what}") from error
