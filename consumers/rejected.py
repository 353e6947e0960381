"""Rejected messages that wait for a person: which there are, and deciding about many of them step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Length, Now

from consumers.models import Reason, RejectedMessage, State
from orders import audit

MOST_COUNTED = 10_000
_STEP = 200
_STEP_BYTES = 16 * 2**20


class Refused(Exception):
    """It cannot be done so, and nothing was; says why."""


@dataclass(slots=True, frozen=True)
class Selection:
    """Of what waits: these `ids`, else whatever has this reason, queue and fault; None: any."""

    ids: tuple[int, ...] | None = None
    reason: str | None = None
    queue: str | None = None
    fault: str | None = None

    def rows(self) -> QuerySet[RejectedMessage]:
        chosen = {"reason": self.reason, "queue": self.queue, "fault": self.fault, "pk__in": self.ids}
        wanted = {name: value for name, value in chosen.items() if value is not None}
        return RejectedMessage.objects.filter(state=State.WAITING, **wanted)

    def count(self) -> int:
        """At most `MOST_COUNTED` + 1: nobody waits for more to be counted."""
        return self.rows()[: MOST_COUNTED + 1].count()


ALL = Selection()


@dataclass(slots=True, frozen=True)
class Group:
    """Waiting messages that have the same fault. `count` stops at `MOST_COUNTED`."""

    reason: Reason
    queue: str
    fault: str
    count: int
    oldest: datetime
    newest: datetime

    @property
    def counted(self) -> str:
        """For people."""
        return f"{self.count:,}" if self.count < MOST_COUNTED else f"{MOST_COUNTED:,} or more"


_GROUPS = """
SELECT r.reason, g.queue, g.fault, count(*), min(g.rejected_at), max(g.rejected_at)
FROM unnest(%(reasons)s::text[]) WITH ORDINALITY AS r (reason, n)
CROSS JOIN LATERAL (SELECT m.queue, m.fault, m.rejected_at FROM rejected_messages m
                    WHERE m.state = 'WAITING' AND m.reason = r.reason
                      AND (%(ids)s::bigint[] IS NULL OR m.id = ANY (%(ids)s::bigint[]))
                      AND (%(queue)s::text IS NULL OR m.queue = %(queue)s)
                      AND (%(fault)s::text IS NULL OR m.fault = %(fault)s)
                    ORDER BY m.rejected_at LIMIT %(most)s) g
GROUP BY r.n, r.reason, g.queue, g.fault ORDER BY r.n, count(*) DESC, g.queue, g.fault
"""


def groups(selection: Selection = ALL) -> list[Group]:
    """What waits, by reason, queue and fault; of each reason the oldest `MOST_COUNTED` messages."""
    parameters = {
        "reasons": [selection.reason] if selection.reason else Reason.values,
        "ids": list(selection.ids) if selection.ids is not None else None,
        "queue": selection.queue,
        "fault": selection.fault,
        "most": MOST_COUNTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, parameters)
        return [Group(Reason(row[0]), *row[1:]) for row in cursor.fetchall()]


@dataclass(slots=True)
class Progress:
    """How far a decision about many has come, in the order of their ids: up to `after`.

    What is rejected, or rejected again, past `until` is left for another time.
    """

    until: datetime
    after: int = 0
    done: int = 0
    failures: list[Failure] = field(default_factory=list)
    finished: bool = False


@dataclass(slots=True, frozen=True)
class Failure:
    """A message that still waits, and why."""

    id: int
    message_id: str
    why: str


Decide = Callable[[Sequence[RejectedMessage]], list[Failure]]


def step(selection: Selection, progress: Progress, decide: Decide) -> None:
    """Decide about the next few, and say in `progress` what became of them."""
    rows = _next(selection, progress)
    if rows:
        failures = decide(rows)
        progress.failures += failures
        progress.done += len(rows) - len(failures)
        progress.after = rows[-1].pk
    progress.finished = not _left(selection, progress).exists()


def _left(selection: Selection, progress: Progress) -> QuerySet[RejectedMessage]:
    return selection.rows().filter(pk__gt=progress.after, rejected_at__lte=progress.until).order_by("pk")


def _next(selection: Selection, progress: Progress) -> list[RejectedMessage]:
    """As many as one step may hold, at least one where there is any."""
    room = _STEP_BYTES
    ids: list[int] = []
    for pk, size in _left(selection, progress).values_list("pk", Length("body"))[:_STEP]:
        room -= size
        if ids and room < 0:
            break
        ids.append(pk)
    return list(RejectedMessage.objects.filter(pk__in=ids).order_by("pk"))


def discard(*, reason: str, actor: str) -> Decide:
    """Keep messages for the record alone; whoever has the permission still finds them."""
    reason = required(reason)

    def decide(rows: Sequence[RejectedMessage]) -> list[Failure]:
        with transaction.atomic(durable=True):
            found = locked(rows)
            waiting = [row.pk for row in rows if (now := found.get(row.pk)) and unchanged(row, now)]
            RejectedMessage.objects.filter(pk__in=waiting).update(
                state=State.DISCARDED, decided_at=Now(), decided_by=actor, decision_reason=reason
            )
            details = {subject(pk): {"reason": reason} for pk in waiting}
            audit.record_each(actor=actor, action="rejected.discard", details=details)
        changed = [row for row in rows if row.pk not in set(waiting)]
        return [Failure(row.pk, row.message_id, "it has changed meanwhile") for row in changed]

    return decide


def subject(pk: int) -> str:
    """What the audit calls a rejected message."""
    return f"rejected:{pk}"


def required(reason: str) -> str:
    """Raises `Refused` where there is none."""
    reason = reason.strip()
    if not reason:
        raise Refused("a reason is required")
    return reason


def locked(rows: Sequence[RejectedMessage]) -> dict[int, RejectedMessage]:
    """The same rows as they are now, by id, until the transaction ends."""
    found = RejectedMessage.objects.select_for_update().filter(pk__in=[row.pk for row in rows])
    return {row.pk: row for row in found.only("state", "attempts").order_by("pk")}


def unchanged(seen: RejectedMessage, now: RejectedMessage) -> bool:
    """Whether it waits, and was not rejected again."""
    return now.state == State.WAITING and now.attempts == seen.attempts
