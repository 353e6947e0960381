"""A decision about many messages, from request to request: what is decided about, and how far it has come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import BadRequest
from django.utils import timezone

from consumers.models import Reason
from consumers.rejected import Progress, Selection

if TYPE_CHECKING:
    from django.http import QueryDict

_MOST_IDS = 1000
_is_number = re.compile(r"[0-9]{1,18}").fullmatch


@dataclass(frozen=True)
class Run:
    """`failed`: how many were not sent in the steps before this one."""

    selection: Selection
    progress: Progress
    failed: int

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What `read` reads, as names and values of a form."""
        progress = self.progress
        return [
            *selecting(self.selection),
            ("until", progress.until.isoformat()),
            ("after", str(progress.after)),
            ("done", str(progress.done)),
            ("failed", str(self.failed + len(progress.failures))),
        ]


def selecting(selection: Selection) -> list[tuple[str, str]]:
    """A selection as names and values of a form or of an address."""
    named = {"rejected_for": selection.reason, "queue": selection.queue, "fault": selection.fault}
    ids = [("id", str(pk)) for pk in selection.ids or ()]
    return ids + [(name, value) for name, value in named.items() if value is not None]


def read(data: QueryDict) -> Run:
    """Raises `BadRequest` for what no page of this console sends."""
    ids = [_number(text) for text in data.getlist("id")]
    reason = data.get("rejected_for")
    if len(ids) > _MOST_IDS or reason not in (None, *Reason.values):
        raise BadRequest("not a selection of rejected messages")
    selection = Selection(tuple(ids) if ids else None, reason, _text(data, "queue"), _text(data, "fault"))
    progress = Progress(
        until=_time(data.get("until")),
        after=_number(data.get("after", "0")),
        done=_number(data.get("done", "0")),
    )
    return Run(selection, progress, _number(data.get("failed", "0")))


def _text(data: QueryDict, name: str) -> str | None:
    text = data.get(name)
    if text is not None and "\0" in text:
        raise BadRequest(f"{name}: NUL")
    return text


def _number(text: str) -> int:
    if not _is_number(text):
        raise BadRequest(f"expected a number, got {text[:40]!r}")
    return int(text)


def _time(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"expected a time, got {text[:40]!r}") from None
    if moment.tzinfo is None:
        raise BadRequest("expected a time with its zone")
    return moment
