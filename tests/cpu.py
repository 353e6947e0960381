"""CPU time, which other work on the machine hardly changes, as wall-clock time does."""

from __future__ import annotations

import resource


def seconds_of_children() -> float:
    """CPU time of the processes started from here that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
