"""The consuming side of AMQP 0-9-1: one queue, manual acknowledgements, back-pressure by prefetch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import uuid4

from pika import spec
from pika.channel import Channel

from consumers.amqp_link import Link
from consumers.amqp_queues import ensure_queue
from consumers.amqp_reconnecting import Parameters
from consumers.transport import Delivery, Listener, OnDepth
from routing.reactor import Reactor


class Stream(Protocol):
    """Where a stream is to be resumed, and who wants to know how far it is settled."""

    def resume_after(self) -> int | None:
        """The offset up to which all is settled; None: begin at the first there is."""

    def reached(self, offset: int) -> None:
        """All up to `offset` is settled."""


class AmqpConsumer:
    """`declare`: the type of the queue to declare, None to check that it exists. `tag` begins its name.

    `stream`: where the queue is a stream, which keeps its messages and is read from an offset.
    """

    def __init__(
        self,
        reactor: Reactor,
        parameters: Parameters,
        *,
        queue: str,
        prefetch: int,
        declare: str | None,
        tag: str,
        stream: Stream | None = None,
        on_other_version: Callable[[], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._queue = queue
        self._prefetch = prefetch
        self._declare = declare
        self._tag = tag
        self._stream = stream
        self._delivered: int | None = None  # the last offset of this channel
        self._link = Link(
            reactor,
            parameters,
            queue=queue,
            on_channel=self._on_channel,
            on_lost=self._on_lost,
            on_other_version=on_other_version,
        )
        self._listener: Listener
        self._channel: Channel | None = None  # once the queue is known to exist
        self._consuming: str | None = None
        self._paused = False
        # Tags of this channel in their order, each with its offset if it came from a stream.
        self._unacked: OrderedDict[int, int | None] = OrderedDict()
        self._asked: dict[object, OnDepth] = {}

    def start(self, listener: Listener) -> None:
        self._listener = listener
        self._link.open()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        self._forget_session()
        self._link.close(on_stopped)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """The oldest outstanding ones with one frame, whatever lies beyond a gap one by one."""
        unacked = self._unacked
        tags = {d.tag for d in deliveries if d.session is self._channel and d.tag in unacked}
        if self._channel is None:
            return
        prefix, reached = 0, None
        while unacked and (oldest := next(iter(unacked))) in tags:
            tags.remove(oldest)
            reached = unacked.pop(oldest)
            prefix = oldest
        if prefix:
            self._channel.basic_ack(prefix, multiple=True)
        if self._stream is not None and reached is not None:
            self._stream.reached(self._settled_to(reached))
        for tag in tags:
            del unacked[tag]
            self._channel.basic_ack(tag)

    def _settled_to(self, reached: int) -> int:
        """All before the oldest that is outstanding is settled, also what was acknowledged beyond a gap."""
        oldest = next(iter(self._unacked.values()), None)
        if oldest is not None:
            return oldest - 1
        return reached if self._delivered is None else self._delivered

    def pause(self) -> None:
        self._paused = True
        if self._channel is not None and self._consuming is not None:
            self._channel.basic_cancel(self._consuming, callback=_nothing)
            self._consuming = None

    def resume(self) -> None:
        self._paused = False
        if self._channel is not None and self._consuming is None:
            self._consume(self._channel, _nothing)

    def depth(self, on_depth: OnDepth) -> None:
        """Note on a depth of 0: the queue hands messages to our channel's process at the broker, which may
        answer a declare before it sends them on. By the time it answers a second one it has sent them.
        """
        key = object()
        self._asked[key] = on_depth
        if self._channel is None:
            self._reactor.call_later(0, lambda: self._answer(key, None))
        else:
            self._count(lambda ready: self._answer(key, ready) if ready else self._count_again(key))

    def _count_again(self, key: object) -> None:
        self._count(lambda ready: self._answer(key, ready))

    def _count(self, on_count: Callable[[int], None]) -> None:
        if self._channel is not None:
            answered = self._reactor.guard(lambda frame: on_count(frame.method.message_count))
            self._channel.queue_declare(self._queue, passive=True, callback=answered)

    def _answer(self, key: object, depth: int | None) -> None:
        if on_depth := self._asked.pop(key, None):
            on_depth(depth)

    def _on_channel(self, channel: Channel) -> None:
        guard = self._reactor.guard
        channel.add_on_cancel_callback(guard(self._on_cancelled))
        channel.basic_qos(prefetch_count=self._prefetch)
        ensure_queue(
            channel, self._queue, declare=self._declare, callback=guard(lambda _: self._on_queue(channel))
        )

    def _on_queue(self, channel: Channel) -> None:
        self._channel = channel
        if self._paused:
            self._up()
        else:
            self._consume(channel, lambda _: self._up())

    def _up(self) -> None:
        self._link.established()
        self._listener.on_up()

    def _consume(self, channel: Channel, on_consuming: Callable[[Any], None]) -> None:
        guard = self._reactor.guard
        self._consuming = f"{self._tag}.{uuid4().hex[:8]}"
        channel.basic_consume(
            self._queue,
            guard(self._on_message),
            consumer_tag=self._consuming,
            arguments={"x-stream-offset": self._begin(self._stream)} if self._stream else None,
            callback=guard(on_consuming),
        )

    def _begin(self, stream: Stream) -> int | str:
        """After what this channel has delivered; on a new one, after what is settled."""
        after = stream.resume_after() if self._delivered is None else self._delivered
        return "first" if after is None else after + 1

    def _on_message(
        self, channel: Channel, method: spec.Basic.Deliver, properties: spec.BasicProperties, body: bytes
    ) -> None:
        if channel is not self._channel:
            return
        headers = properties.headers
        offset = headers.get("x-stream-offset") if headers and self._stream else None
        self._unacked[method.delivery_tag] = offset
        if offset is not None:
            self._delivered = offset
        self._listener.on_delivery(
            Delivery(
                queue=self._queue,
                tag=method.delivery_tag,
                session=channel,
                body=body,
                message_id=_text(properties.message_id),
                content_type=_text(properties.content_type),
                headers={_text(name): value for name, value in headers.items()} if headers else {},
                redelivered=method.redelivered,
            )
        )

    def _on_cancelled(self, _frame: object) -> None:
        self._link.drop("the broker ended the consumer: the queue was deleted, or its node failed")

    def _on_lost(self, reason: str) -> None:
        self._forget_session()
        self._listener.on_down(reason, self._queue)

    def _forget_session(self) -> None:
        self._channel = self._consuming = self._delivered = None
        self._unacked.clear()
        for key in list(self._asked):
            self._answer(key, None)


def _text(value: str | bytes | None) -> Any:
    """What pika leaves as bytes, because it is not UTF-8, as text."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _nothing(_frame: object) -> None:
    """Makes pika wait for the broker's answer."""
