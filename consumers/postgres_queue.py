"""The embedded queue: the transport port over the table `queue_messages`, in the order book's own database.

Statements are short and made in line on the loop (see postgres_session.py). Whatever needs one only notes it
and calls for a turn, so that one pass of the loop costs one statement of each kind. A NOTIFY, or the poll
timer for what no NOTIFY announces, lets a turn take messages; while nothing happens nothing is asked for.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg

from consumers.postgres_session import Row, Session, row_of
from consumers.transport import Delivery, Listener, Message, OnDepth, OnOutcome, Outcome
from orders.backoff import delay
from routing.reactor import Reactor

logger = logging.getLogger(__name__)
T = TypeVar("T")

_POLL = 1.0  # seconds between looks for what no NOTIFY announces: messages of dead sessions
_BASE, _CAP = 0.1, 10.0  # seconds between tries to connect
_STATEMENT_ROWS = 1000
_STATEMENT_BYTES = 16 * 2**20


class PostgresQueue:
    """A `Transport`. `consume` and `publish` name queues; `connect()` makes each connection, autocommitting."""

    def __init__(
        self,
        reactor: Reactor,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        consume: str | None,
        publish: str | None,
        prefetch: int,
    ) -> None:
        self._reactor = reactor
        self._open = connect
        self._consume = consume
        self._publish = publish
        self._prefetch = prefetch
        self._listener: Listener
        self._session: Session | None = None
        self._fd = -1
        self._failures = 0
        self._timer: object | None = None  # of the next poll or the next try to connect
        self._turn_due = False
        self._stopped = False
        self._paused = False
        self._more = False  # there may be messages to take
        self._held: set[int] = set()
        self._acked: list[int] = []
        self._outgoing: deque[tuple[Row, int, OnOutcome]] = deque()
        self._asked: list[OnDepth] = []

    def start(self, listener: Listener) -> None:
        self._listener = listener
        self._timer = self._reactor.call_later(0, self._connect)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.session is self._session and delivery.tag in self._held:
                self._held.remove(delivery.tag)
                self._acked.append(delivery.tag)
        self._call_turn()

    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None:
        if self._publish is None:
            raise RuntimeError("this transport was made without a queue to publish to")
        for index, message in enumerate(messages):
            try:
                self._outgoing.append((row_of(message), index, on_outcome))
            except ValueError as error:
                logger.error("message %r cannot be queued: %s", message.message_id, error)  # noqa: TRY400
                self._reactor.call_later(0, lambda index=index: on_outcome(index, Outcome.NACKED))
        self._call_turn()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._more = True
        self._call_turn()

    def depth(self, on_depth: OnDepth) -> None:
        if self._consume is None:
            raise RuntimeError("this transport was made without a queue to consume from")
        self._asked.append(on_depth)
        self._call_turn()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        self._stopped = self._paused = True
        self._turn()
        if self._consume is not None:
            self._try(Session.give_back, self._consume)
        self._close()
        self._cancel_timer()
        while self._outgoing:
            self._send()
        self._reactor.call_later(0, on_stopped)

    def _connect(self) -> None:
        self._timer = None
        try:
            session = Session.open(self._open(), self._consume, self._on_notify)
        except psycopg.Error as error:
            self._lose(error)
            return
        self._session, self._fd = session, session.fileno()
        self._reactor.add_handler(self._fd, self._on_readable, self._reactor.READ | self._reactor.ERROR)
        self._listener.on_up()
        if self._consume is not None and self._session is session:
            self._poll()

    def _try(self, work: Callable[..., T], *arguments: Any) -> T | None:
        """What `work(session, …)` gives; None without a session, or when this ended it."""
        if self._session is None:
            return None
        try:
            result = work(self._session, *arguments)
        except psycopg.Error as error:
            self._lose(error)
            return None
        self._failures = 0
        return result

    def _lose(self, error: psycopg.Error) -> None:
        reason = str(error).strip().partition("\n")[0]
        self._close()
        self._cancel_timer()
        if self._stopped:
            return
        self._failures += 1
        wait = delay(self._failures, base=_BASE, cap=_CAP)
        logger.warning("the embedded queue is away, next try in %.1f s: %s", wait, reason)
        self._timer = self._reactor.call_later(wait, self._connect)
        self._call_turn()
        self._listener.on_down(reason, self._consume or self._publish or "")

    def _close(self) -> None:
        if self._session is not None:
            self._reactor.remove_handler(self._fd)
            self._session.close()
        self._session = None
        self._held.clear()
        self._acked.clear()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None

    def _on_readable(self, _fd: int, _events: int) -> None:
        self._try(Session.read)

    def _on_notify(self) -> None:
        self._more = True
        self._call_turn()

    def _poll(self) -> None:
        self._timer = self._reactor.call_later(_POLL, self._poll)
        self._try(Session.give_back_dead)
        self._more = True
        self._take(at_least=1)

    def _call_turn(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            self._reactor.call_later(0, self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        self._send()
        if self._acked:
            acked, self._acked = self._acked, []
            self._try(Session.delete, acked)
        # A free place or two is not worth a statement while there is plenty to work on.
        self._take(at_least=max(1, self._prefetch // 4))
        self._answer_depth()

    def _send(self) -> None:
        """Publish what one statement holds; the rest has its own turn, so that others have theirs."""
        batch: list[tuple[Row, int, OnOutcome]] = []
        size = 0
        while self._outgoing and len(batch) < _STATEMENT_ROWS and size < _STATEMENT_BYTES:
            batch.append(self._outgoing.popleft())
            size += len(batch[-1][0].body)
        if not batch:
            return
        sent = self._try(Session.publish, self._publish, [row for row, _, _ in batch])
        outcome = Outcome.CONFIRMED if sent else Outcome.NACKED
        for _, index, on_outcome in batch:
            on_outcome(index, outcome)
        if self._outgoing:
            self._call_turn()

    def _take(self, *, at_least: int) -> None:
        free = self._prefetch - len(self._held)
        if self._consume is None or self._paused or not self._more or free < at_least:
            return
        taken = self._try(Session.take, self._consume, free)
        if taken is None:
            return
        self._more = len(taken) == free
        session = self._session
        self._held.update(one.id for one in taken)
        for one in taken:
            self._listener.on_delivery(
                Delivery(
                    queue=self._consume,
                    tag=one.id,
                    session=session,
                    body=one.body,
                    message_id=one.message_id,
                    content_type=one.content_type,
                    headers=one.headers,
                    redelivered=one.redelivered,
                )
            )

    def _answer_depth(self) -> None:
        """Taking and handing on are one step here, so a count after it knows all that has been handed on."""
        asked, self._asked = self._asked, []
        if not asked:
            return
        self._try(Session.give_back_dead)
        depth = self._try(Session.free, self._consume)
        for on_depth in asked:
            on_depth(depth)
