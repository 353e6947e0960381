"""What the Aerospike client says while it looks for nodes: the only place where it tells why TLS failed."""

from __future__ import annotations

import logging
import time
from collections import deque
from functools import cache

import aerospike

logger = logging.getLogger(__name__)

# Seconds in which a complaint explains a failure. While no node is there, the client complains every second.
_RECENT = 10.0
# These come with each failed attempt and say no more than that it failed.
_EMPTY_WORDS = ("Failed to connect", "Tend error: AEROSPIKE_ERR_CONNECTION Failed to connect")

_said: deque[tuple[float, str]] = deque(maxlen=3)


@cache
def listen() -> None:
    """Once in a process, and for good: the client's own thread may speak at any time."""
    aerospike.set_log_level(aerospike.LOG_LEVEL_WARN)
    aerospike.set_log_handler(_hear)


def recent_complaints() -> str:
    """To be added to a message: empty, or a colon and what the client said of late."""
    now = time.monotonic()
    words = dict.fromkeys(message for said_at, message in list(_said) if now - said_at < _RECENT)
    return f": {'; '.join(words)}" if words else ""


def _hear(level: int, function: str, path: str, line: int, message: str) -> None:
    del level, function, path, line
    # The breaker says what matters, once.
    logger.debug("%s", message)
    if message not in _EMPTY_WORDS:
        _said.append((time.monotonic(), message))
