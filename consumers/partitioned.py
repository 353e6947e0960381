"""A transport over several partitions (queues or streams), of which this member consumes its share.

One side per partition held, made when it is taken and stopped when it is given up: first paused, then, when all
that it had handed on is acknowledged, closed and unlocked. A side that ends otherwise takes its lock with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import psycopg

from consumers.transport import Delivery, Listener, Message, OnDepth, OnOutcome, Transport
from orders.stores.port import StoreUnavailable

if TYPE_CHECKING:
    from consumers.membership import Membership
    from routing.reactor import Reactor

logger = logging.getLogger(__name__)

_LOOK = 1.0  # seconds between looks at who holds what: a dead member's partitions are taken within two


class PartitionedTransport:
    """`make_side(partition)` gives a transport that consumes it; `publisher` is one that publishes, or None.

    `on_left(partition)` is called when all that was taken of it is settled, before another member may take it.
    """

    def __init__(
        self,
        reactor: Reactor,
        membership: Membership,
        partitions: Sequence[str],
        *,
        make_side: Callable[[str], Transport],
        on_left: Callable[[str], None],
        publisher: Transport | None,
    ) -> None:
        self._reactor = reactor
        self._membership = membership
        self._partitions = partitions
        self._make_side = make_side
        self._on_left = on_left
        self._publisher = publisher
        self._listener: Listener
        self._sides: dict[str, Transport] = {}
        self._leaving: set[str] = set()
        self._outstanding: dict[str, set[Delivery]] = {}
        self._paused = False
        self._stopped = False

    def start(self, listener: Listener) -> None:
        self._listener = listener
        if self._publisher is not None:
            self._publisher.start(_Nobody())
        self._look()

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        by_partition: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_partition.setdefault(delivery.queue, []).append(delivery)
        for partition, some in by_partition.items():
            if side := self._sides.get(partition):
                side.ack(some)
                self._outstanding[partition].difference_update(some)
                self._close_if_done(partition)

    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None:
        if self._publisher is None:
            raise RuntimeError("this transport was made without a queue to publish to")
        self._publisher.publish(messages, on_outcome)

    def pause(self) -> None:
        self._paused = True
        for side in self._sides.values():
            side.pause()

    def resume(self) -> None:
        self._paused = False
        for partition, side in self._sides.items():
            if partition not in self._leaving:
                side.resume()

    def depth(self, on_depth: OnDepth) -> None:
        """Of the partitions held here; None where this cannot be had of one of them, or none is held."""
        depths: list[int | None] = []
        sides = list(self._sides.values())

        def counted(depth: int | None) -> None:
            depths.append(depth)
            if len(depths) == len(sides):
                known = [depth for depth in depths if depth is not None]
                on_depth(sum(known) if len(known) == len(sides) else None)

        if not sides:
            self._reactor.call_later(0, lambda: on_depth(None))
        for side in sides:
            side.depth(counted)

    def stop(self, on_stopped: Callable[[], None]) -> None:
        self._stopped = True
        stopping = [*self._sides.values(), *([self._publisher] if self._publisher else [])]
        left = len(stopping)

        def stopped() -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                self._membership.leave()
                on_stopped()

        if not stopping:
            self._reactor.call_later(0, stopped)
        for side in stopping:
            side.stop(stopped)

    # Sharing

    def _look(self) -> None:
        if self._stopped:
            return
        try:
            if not self._membership.joined:
                self._membership.join()
            self._share()
        except psycopg.Error as error:
            self._lose_all(error)
        self._reactor.call_later(_LOOK, self._look)

    def _share(self) -> None:
        share = self._membership.share_of(self._partitions)
        keeping = [partition for partition in self._membership.held if partition not in self._leaving]
        for partition in keeping[share:]:
            logger.info("giving up %s: another member takes it", partition)
            self._leaving.add(partition)
            self._sides[partition].pause()
            self._close_if_done(partition)
        for partition in self._membership.take(self._partitions, limit=share - len(keeping)):
            self._open(partition)

    def _open(self, partition: str) -> None:
        try:
            side = self._make_side(partition)
        except StoreUnavailable as error:
            logger.warning("%s is not consumed yet, its offset cannot be read: %s", partition, error)
            self._membership.release(partition)
            return
        logger.info("taking %s", partition)
        self._sides[partition] = side
        self._outstanding[partition] = set()
        side.start(_Side(self._listener, self._outstanding[partition]))
        if self._paused:
            side.pause()

    def _close_if_done(self, partition: str) -> None:
        if partition in self._leaving and not self._outstanding[partition]:
            self._leaving.remove(partition)
            self._sides.pop(partition).stop(lambda: self._release(partition))

    def _release(self, partition: str) -> None:
        self._on_left(partition)
        try:
            if partition in self._membership.held:
                self._membership.release(partition)
        except psycopg.Error as error:
            self._lose_all(error)

    def _lose_all(self, error: psycopg.Error) -> None:
        """Without the locks the partitions are anybody's: what is under way here is dropped and comes again."""
        logger.warning("membership is lost, all partitions are given up: %s", error)
        self._membership.leave()
        sides, self._sides = self._sides, {}
        self._leaving.clear()
        for partition, side in sides.items():
            side.stop(lambda: None)
            self._listener.on_down("membership is lost", partition)


class _Side:
    """Hands on what comes from one partition, and keeps count of it."""

    def __init__(self, listener: Listener, outstanding: set[Delivery]) -> None:
        self._listener = listener
        self._outstanding = outstanding

    def on_delivery(self, delivery: Delivery) -> None:
        self._outstanding.add(delivery)
        self._listener.on_delivery(delivery)

    def on_up(self) -> None:
        self._listener.on_up()

    def on_down(self, reason: str, queue: str) -> None:
        self._outstanding.clear()
        self._listener.on_down(reason, queue)


class _Nobody:
    """The publisher's listener: it delivers nothing, and its coming and going shows in outcomes."""

    def on_delivery(self, delivery: Delivery) -> None:
        raise AssertionError(f"a publisher delivered {delivery.message_id}")

    def on_up(self) -> None: ...

    def on_down(self, reason: str, queue: str) -> None: ...
