"""What the publishers of both versions of AMQP have in common: their link, and an answer for each message."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from consumers.transport import OnOutcome, Outcome
from routing.reactor import Reactor

# Of a message that was sent: its id, its place among those it was given with, and whom to tell.
Unanswered = tuple[str, int, OnOutcome]


class PublishingLink(Protocol):
    def open(self) -> None: ...
    def close(self, on_closed: Callable[[], None]) -> None: ...


AnyLink = TypeVar("AnyLink", bound=PublishingLink)


class LinkedPublisher(ABC, Generic[AnyLink]):
    """Messages are answered until the link has said its goodbye; what the end leaves unanswered is NACKED."""

    def __init__(self, reactor: Reactor, link: AnyLink, *, queue: str) -> None:
        self._reactor = reactor
        self._link = link
        self._queue = queue
        self._on_up: Callable[[], None]
        self._on_down: Callable[[str, str], None]

    def start(self, on_up: Callable[[], None], on_down: Callable[[str, str], None]) -> None:
        self._on_up, self._on_down = on_up, on_down
        self._link.open()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        def stopped() -> None:
            self._forget_session()
            on_stopped()

        self._send_no_more()
        self._link.close(stopped)

    def on_lost(self, reason: str) -> None:
        self._forget_session()
        self._on_down(reason, self._queue)

    def _answer_later(self, indexes: Sequence[int], outcome: Outcome, on_outcome: OnOutcome) -> None:
        """Never from inside the call that gave the messages."""

        def tell() -> None:
            for index in indexes:
                on_outcome(index, outcome)

        self._reactor.call_later(0, tell)

    @abstractmethod
    def _send_no_more(self) -> None:
        """What is given from now on is refused."""

    @abstractmethod
    def _forget_session(self) -> None:
        """It is over, with whatever it had; the messages it had sent are answered."""


def answer_all(unanswered: Iterable[Unanswered], outcome: Outcome) -> None:
    for _, index, on_outcome in unanswered:
        on_outcome(index, outcome)
