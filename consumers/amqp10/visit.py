"""A look at a broker over AMQP 1.0, without a loop of the caller's: does it let us in, is a queue there?"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pika

from consumers.amqp10.addresses import Address
from consumers.amqp10.connection import Connection
from consumers.amqp10.engine import Ended, Engine
from consumers.amqp10.errors import explain, explain_lost, is_refused_login
from consumers.amqp_parameters import credentials_refused
from routing.reactor import Reactor


def visit(
    host: pika.ConnectionParameters,
    *,
    patience: float,
    address: Address,
    source: str | None = None,
    target: str | None = None,
) -> str:
    """What the broker says it is. Takes nothing from the queue `source`, sends nothing to `target`.

    Blocks, `patience` seconds at most. Raises `ConnectionError` with the reason in words.
    """
    with closing(Reactor()) as reactor:
        visiting = _Visit(reactor, host, address, source, target)
        visiting.run(patience)
    if visiting.failure is not None:
        raise ConnectionError(visiting.failure)
    return visiting.broker


class _Visit:
    """The side of its connection."""

    def __init__(
        self,
        reactor: Reactor,
        host: pika.ConnectionParameters,
        address: Address,
        source: str | None,
        target: str | None,
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._source = source
        self._target = target
        self._connection = Connection(reactor, host, self, purpose="looks", on_over=self._on_over)
        self._links: list[Any] = []
        self.broker = ""
        self.failure: str | None = "no answer"

    def run(self, patience: float) -> None:
        self._reactor.call_later(patience, self._leave)
        self._connection.open()
        self._reactor.run()

    def on_attachable(self, engine: Engine) -> None:
        self.broker = engine.broker
        # A link to a queue does not show at RabbitMQ whether it is there: see the note on a missing queue.
        wanted = {self._source, self._target} if engine.is_rabbitmq else {self._source}
        names = [self._address(queue, engine.is_rabbitmq) for queue in wanted if queue is not None]
        self._links = [engine.receiver(name) for name in names]
        if self._target is not None:
            self._links.append(engine.sender(self._address(self._target, engine.is_rabbitmq)))
        self._done_if_answered()

    def on_link(self, link: Any) -> None:
        there = link.remote_target if link.is_sender else link.remote_source
        if there.address is not None:
            self._links.remove(link)
            self._done_if_answered()

    def on_flow(self, link: Any) -> None:
        """Credit, of which no use is made."""

    def on_deliveries(self, deliveries: list[Any]) -> None:
        raise AssertionError(f"no credit was given, but {len(deliveries)} messages came")

    def on_refused(self, ended: Ended) -> None:
        self.failure = explain(ended, self._source or self._target or "")
        self._leave()

    def _done_if_answered(self) -> None:
        if not self._links:
            self.failure = None
            self._leave()

    def _on_over(
        self, host: pika.ConnectionParameters, ended: Ended | None, error: BaseException | None
    ) -> None:
        if ended is not None and is_refused_login(ended):
            credentials_refused(host.credentials)
        self.failure = explain_lost(error) if ended is None else explain(ended, "")
        self._reactor.stop()

    def _leave(self) -> None:
        """Without waiting for the broker's goodbye; after the callback by which pika's layer closes the socket."""
        self._connection.say_goodbye()
        self._connection.abort()
        self._reactor.add_callback(self._reactor.stop)
