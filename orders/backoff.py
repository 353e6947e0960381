"""How long to wait before the next try, wherever something is tried again. Pure."""

from __future__ import annotations

import random

# Drawn from the system, so that forked processes do not wait in step.
_RANDOM = random.SystemRandom()
# Beyond this many doublings any base in use is past any cap; a float holds far more.
_MOST_DOUBLINGS = 64


def delay(attempt: int, *, base: float, cap: float, rng: random.Random = _RANDOM) -> float:
    """Seconds to wait after the `attempt`-th failure (1, 2, 3, …): exponential, capped, with equal jitter.

    The ceiling is `base` doubled with each attempt, at most `cap`; the wait is drawn from its upper half,
    so that it never is zero and those who failed together do not come back together.
    Raises `ValueError` for an attempt below 1.
    """
    if attempt < 1:
        raise ValueError(f"attempt counts from 1, got {attempt}")
    ceiling = min(cap, base * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS))
    return ceiling * (0.5 + 0.5 * rng.random())
