"""Parts of the console's home page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import template

from consumers.models import Reason
from order_entry_project.console.waiting import Waiting

register = template.Library()

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


@register.inclusion_tag("console/waiting.html")
def waiting_tile(
    name: str, title: str, waiting: Waiting, link: str, since: str, *, calls: bool = False
) -> dict[str, Any]:
    """`calls`: any of them needs a person; else only what has waited for long does."""
    urgent = bool(waiting.count) and (calls or waiting.is_late)
    return {"name": name, "title": title, "waiting": waiting, "link": link, "since": since, "urgent": urgent}


@register.filter
def in_words(reason: str) -> str:
    """Why a message was rejected: such as `bad value`."""
    return str(Reason(reason).label).lower()


@register.filter
def age(span: timedelta) -> str:
    """In the two largest units: 2 d 3 h, 4 min 10 s."""
    seconds = max(0, int(span.total_seconds()))
    parts: list[str] = []
    for unit, length in _UNITS:
        if seconds >= length or (unit == "s" and not parts):
            parts.append(f"{seconds // length} {unit}")
            seconds %= length
        if len(parts) == 2:  # noqa: PLR2004 - as said above
            break
    return " ".join(parts)
