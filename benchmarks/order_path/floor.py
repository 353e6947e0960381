"""The floor: the least Python that does an order's I/O, with nothing of what makes a service.

No validation, no idempotency, no claims, no audit, no outbox, no metrics, no logs, no traces, and it ends at the first
error. One thread, one loop: pika's, which drives libcurl's sockets too. Per batch two set-based SQL statements and two
cache writes; a message is acknowledged when its routed copy is confirmed.
"""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pika
import psycopg
import pycurl
import redis

from benchmarks.order_path.wiring import Wiring

_TTL = 2_592_000  # seconds, as the specification has it
_PLACE = """
WITH placed AS (
    INSERT INTO orders (order_id, symbol, side, quantity, price, counterparty, created_at, message_id, digest, status)
    SELECT *, ''::bytea, 'PLACED'
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::text[], %s::timestamptz[],
                %s::text[])
    ON CONFLICT (order_id) DO NOTHING RETURNING order_id
)
INSERT INTO order_events (order_id, sequence, event, actor) SELECT order_id, 1, 'PLACED', 'floor' FROM placed
"""
_ROUTE = """
WITH answer AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS a (order_id, route)),
routed AS (
    UPDATE orders o
    SET status = 'ROUTED', route = a.route, routed_at = now(), updated_at = now(), version = 2, attempts = 1
    FROM answer a WHERE o.order_id = a.order_id AND o.status = 'PLACED' RETURNING o.order_id, o.route
),
told AS (
    INSERT INTO order_events (order_id, sequence, event, actor) SELECT order_id, 2, 'ROUTED', 'floor' FROM routed
)
INSERT INTO order_routes (id, order_id, attempt, outcome, route, decided_by, published_at)
SELECT gen_random_uuid(), order_id, 1, 'ACCEPTED', route, 'floor', now() FROM routed
"""
# One call and one round trip a batch.
_CACHE = f"for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i], 'EX', {_TTL}) end"


class Order(msgspec.Struct):
    orderId: str  # noqa: N815 - as in the message
    symbol: str
    side: str
    quantity: msgspec.Raw
    price: msgspec.Raw
    counterparty: str
    created_at: str


class Work:
    """One message: its delivery tag, its id, its body, what it says, where it goes."""

    __slots__ = ("body", "message_id", "order", "route", "tag")

    def __init__(self, tag: int, message_id: str, body: bytes) -> None:
        self.tag, self.message_id, self.body = tag, message_id, body
        self.order = _order(body)
        self.route = ""


_order = msgspec.json.Decoder(Order).decode
_answer = msgspec.json.Decoder(dict[str, str]).decode


class Floor:
    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._sql = psycopg.connect(wiring.sql, autocommit=True, prepare_threshold=0)
        self._cache = redis.Redis.from_url(wiring.redis, protocol=2).register_script(_CACHE)
        self._inbox: list[Work] = []
        self._placed: list[Work] = []
        self._routed: list[Work] = []
        self._unconfirmed: dict[int, int] = {}  # number of publication → delivery tag
        self._published = 0
        self._turn_due = False
        self._connection = pika.SelectConnection(
            pika.URLParameters(wiring.broker),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
            on_close_callback=lambda *_: self._loop.stop(),
        )
        self._loop: Any = self._connection.ioloop
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._timer: Any = None
        self._sockets: set[int] = set()
        self._free = [self._call() for _ in range(wiring.in_flight)]

    def run(self) -> None:
        self._loop.start()

    # The queue

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.confirm_delivery(self._on_confirm)
        channel.basic_qos(
            prefetch_count=2 * self._wiring.in_flight,
            callback=lambda _: channel.basic_consume(self._wiring.queue, self._on_message),
        )

    def _on_message(self, _: Any, method: Any, properties: Any, body: bytes) -> None:
        self._inbox.append(Work(method.delivery_tag, properties.message_id, body))
        self._soon()

    def _on_confirm(self, frame: Any) -> None:
        number = frame.method.delivery_tag
        confirmed = [n for n in self._unconfirmed if n <= number] if frame.method.multiple else [number]
        for each in confirmed:
            self._channel.basic_ack(self._unconfirmed.pop(each))

    # A turn of the loop takes a batch, submits calls, settles what has been answered

    def _soon(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_later(0, self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        size = self._wiring.batch_size
        if self._inbox and not self._placed:
            batch, self._inbox = self._inbox[:size], self._inbox[size:]
            self._place(batch)
        while self._placed and self._free:
            self._submit(self._placed.pop(), self._free.pop())
        if self._routed:
            batch, self._routed = self._routed[:size], self._routed[size:]
            self._settle(batch)
        if self._routed or (self._inbox and not self._placed):
            self._soon()

    def _place(self, batch: list[Work]) -> None:
        orders = [work.order for work in batch]
        self._sql.execute(
            _PLACE,
            (
                [order.orderId for order in orders],
                [order.symbol for order in orders],
                [order.side for order in orders],
                [bytes(order.quantity).decode() for order in orders],
                [bytes(order.price).decode() for order in orders],
                [order.counterparty for order in orders],
                [order.created_at for order in orders],
                [work.message_id for work in batch],
            ),
        )
        self._remember(batch)
        self._placed = batch

    def _settle(self, batch: list[Work]) -> None:
        self._sql.execute(_ROUTE, ([work.order.orderId for work in batch], [work.route for work in batch]))
        self._remember(batch)
        for work in batch:
            self._published += 1
            self._unconfirmed[self._published] = work.tag
            properties = pika.BasicProperties(
                content_type="application/json", delivery_mode=2, correlation_id=work.message_id
            )
            self._channel.basic_publish("", self._wiring.routed, work.body, properties)

    def _remember(self, batch: list[Work]) -> None:
        self._cache(
            keys=[f"orderStatus:{work.order.orderId}" for work in batch], args=[work.body for work in batch]
        )

    # The router

    def _call(self) -> Any:
        call = pycurl.Curl()
        call.setopt(pycurl.URL, f"{self._wiring.router}/route")
        call.setopt(pycurl.POST, 1)
        call.setopt(pycurl.TIMEOUT_MS, 2000)
        return call

    def _submit(self, work: Work, call: Any) -> None:
        call.work, call.answer = work, io.BytesIO()
        call.setopt(pycurl.POSTFIELDS, work.body)
        call.setopt(
            pycurl.HTTPHEADER, ["Content-Type: application/json", f"Idempotency-Key: {work.order.orderId}"]
        )
        call.setopt(pycurl.WRITEDATA, call.answer)
        self._multi.add_handle(call)

    def _collect(self) -> None:
        _, answered, failed = self._multi.info_read()
        if failed:
            raise SystemExit(f"the router: {failed}")
        for call in answered:
            call.work.route = _answer(call.answer.getvalue())["route"]
            self._routed.append(call.work)
            self._multi.remove_handle(call)
            self._free.append(call)
        if answered:
            self._soon()

    def _on_socket(self, event: int, socket: int, _multi: Any, _data: Any) -> None:
        if event == pycurl.POLL_REMOVE:
            self._loop.remove_handler(socket)
            self._sockets.discard(socket)
            return
        reads = self._loop.READ if event & pycurl.POLL_IN else 0
        writes = self._loop.WRITE if event & pycurl.POLL_OUT else 0
        if socket in self._sockets:
            self._loop.update_handler(socket, reads | writes)
        else:
            self._sockets.add(socket)
            self._loop.add_handler(socket, self._on_ready, reads | writes)

    def _on_ready(self, socket: int, events: int) -> None:
        reads = pycurl.CSELECT_IN if events & self._loop.READ else 0
        writes = pycurl.CSELECT_OUT if events & self._loop.WRITE else 0
        self._multi.socket_action(socket, reads | writes)
        self._collect()

    def _on_timer(self, milliseconds: int) -> None:
        if self._timer:
            self._loop.remove_timeout(self._timer)
            self._timer = None
        if milliseconds >= 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._on_timeout)

    def _on_timeout(self) -> None:
        self._timer = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()


if __name__ == "__main__":
    Floor(Wiring.from_env()).run()
