"""How people write a span of time: `250ms`, `10s`, `5m`, `24h`, `30d`, or a bare number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta

_is_duration = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?").fullmatch
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """The span in seconds. Raises ValueError, which says what was expected."""
    match = _is_duration(text.strip())
    if match is None:
        raise ValueError("expected a duration such as 250ms, 10s, 5m or 24h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def duration_text(span: timedelta) -> str:
    """To the second, as a clock would show it: 3 s, 4:05, 2:00:07, 3 days 2:00:07."""
    whole = int(span.total_seconds())
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} day{'s' if days > 1 else ''} {hours}:{minutes:02}:{left:02}"
    if hours:
        return f"{hours}:{minutes:02}:{left:02}"
    return f"{minutes}:{left:02}" if minutes else f"{left} s"
