"""Connected again and again to one of several brokers: what the links of both versions of AMQP have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pika

from orders.backoff import delay
from routing.reactor import Reactor

logger = logging.getLogger(__name__)

_BASE, _CAP = 0.1, 10.0  # seconds between tries
_FAREWELL = 2.0  # seconds a broker has to answer our goodbye

Parameters = Callable[[], Sequence[pika.ConnectionParameters]]


class Reconnecting:
    """`connect(host)` begins a try; the hosts of `parameters()` have their turns, with backoff.

    `on_lost` gets the reason, once for each session that had begun and for each try that failed. `queue` is what the
    connection is for, named in complaints. `on_other_version`: called in place of another try where the broker
    answers in the other version.
    """

    def __init__(
        self,
        reactor: Reactor,
        parameters: Parameters,
        *,
        queue: str,
        connect: Callable[[pika.ConnectionParameters], None],
        on_lost: Callable[[str], None],
        on_other_version: Callable[[], None] | None,
    ) -> None:
        self._reactor = reactor
        self._parameters = parameters
        self._queue = queue
        self._connect = connect
        self._on_lost = on_lost
        self._on_other_version = on_other_version
        self._tries = 0
        self._failures = 0
        self._timer: object | None = None  # of the next try, then of our patience with the broker's goodbye
        self._on_ended: Callable[[], None] | None = None
        self.ending = False

    def begin(self) -> None:
        self._timer = self._reactor.call_later(0, self._try)

    def established(self) -> None:
        """The owner has all it wants: the next failure is a first one."""
        self._failures = 0

    def lost(self, reason: str, *, other_version: bool = False) -> None:
        """A session or a try is over. Nobody wants to know any more once this is `ending`."""
        if self.ending:
            return
        if other_version and self._on_other_version is not None:
            self._on_other_version()
            return
        self._failures += 1
        wait = delay(self._failures, base=_BASE, cap=_CAP)
        logger.warning("no connection for queue %s, next try in %.1f s: %s", self._queue, wait, reason)
        self._timer = self._reactor.call_later(wait, self._try)
        self._on_lost(reason)

    def end(
        self, on_ended: Callable[[], None], *, say_goodbye: Callable[[], bool], give_up: Callable[[], None]
    ) -> None:
        """Try no more. `on_ended` is called once, by `ended`, which the broker's goodbye or `give_up` leads to.

        `say_goodbye`: whether there is somebody to answer it, who has two seconds for that.
        """
        self.ending = True
        self._on_ended = on_ended
        self._cancel_timer()
        self._timer = self._reactor.call_later(_FAREWELL if say_goodbye() else 0, give_up)

    def ended(self) -> None:
        self._cancel_timer()
        if self._on_ended is not None:
            on_ended, self._on_ended = self._on_ended, None
            on_ended()

    def _try(self) -> None:
        self._timer = None
        try:
            hosts = self._parameters()
        except ValueError as error:
            self.lost(str(error))
            return
        host = hosts[self._tries % len(hosts)]
        self._tries += 1
        self._connect(host)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._reactor.remove_timeout(self._timer)
            self._timer = None
