"""The same duties in FastStream, written the way its documentation teaches: a handler for each message.

It does what the floor does, for each order by itself, with asyncpg, aiohttp and redis.asyncio: two transactions, two
cache writes, a call of the router, a publication by decorator; as many handlers at once as messages are prefetched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import aiohttp
import asyncpg
from faststream import AckPolicy, Context, ContextRepo, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage
from pydantic import BaseModel, Field
from redis.asyncio import Redis

from benchmarks.order_path.wiring import Wiring

_AT_ONCE = 200
_POOL = 20  # connections, as the specification has it
_TTL = 2_592_000

wiring = Wiring.from_env()
broker = RabbitBroker(
    wiring.broker, default_channel=Channel(prefetch_count=_AT_ONCE), log_level=logging.DEBUG
)


class Order(BaseModel):
    orderId: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")  # noqa: N815 - as in the message
    symbol: str = Field(min_length=1, max_length=32)
    side: Literal["BUY", "SELL"]
    quantity: Decimal = Field(gt=0)
    price: Decimal = Field(gt=0)
    counterparty: str | None = None
    created_at: datetime


class RoutedOrder(Order):
    status: str = "PLACED"
    route: str | None = None


@asynccontextmanager
async def lifespan(context: ContextRepo) -> AsyncIterator[None]:
    async with (
        asyncpg.create_pool(wiring.sql, min_size=_POOL, max_size=_POOL) as pool,
        aiohttp.ClientSession(wiring.router, timeout=aiohttp.ClientTimeout(total=2)) as http,
        Redis.from_url(wiring.redis) as cache,
    ):
        context.set_global("pool", pool)
        context.set_global("http", http)
        context.set_global("cache", cache)
        yield


app = FastStream(broker, lifespan=lifespan)


@broker.subscriber(
    RabbitQueue(wiring.queue, queue_type=QueueType.QUORUM, durable=True, declare=False),
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
@broker.publisher(wiring.routed, persist=True)
async def enter(
    order: Order,
    message: RabbitMessage,
    pool: Annotated[asyncpg.Pool, Context()],
    http: Annotated[aiohttp.ClientSession, Context()],
    cache: Annotated[Redis, Context()],
) -> RoutedOrder:
    status = RoutedOrder(**order.model_dump())
    await place(pool, order, message.message_id)
    await remember(cache, status)
    headers = {"Idempotency-Key": order.orderId, "Content-Type": "application/json"}
    async with http.post("/route", data=order.model_dump_json(), headers=headers) as answer:
        answer.raise_for_status()
        status.route = (await answer.json())["route"]
    status.status = "ROUTED"
    await settle(pool, status)
    await remember(cache, status)
    return status


async def place(pool: asyncpg.Pool, order: Order, message_id: str) -> None:
    async with pool.acquire() as sql, sql.transaction():
        await sql.execute(
            "INSERT INTO orders (order_id, symbol, side, quantity, price, counterparty, created_at, message_id,"
            " digest, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '\\x', 'PLACED')",
            order.orderId,
            order.symbol,
            order.side,
            order.quantity,
            order.price,
            order.counterparty,
            order.created_at,
            message_id,
        )
        await sql.execute(
            "INSERT INTO order_events (order_id, sequence, event, actor) VALUES ($1, 1, 'PLACED', 'faststream')",
            order.orderId,
        )


async def settle(pool: asyncpg.Pool, order: RoutedOrder) -> None:
    async with pool.acquire() as sql, sql.transaction():
        await sql.execute(
            "UPDATE orders SET status = 'ROUTED', route = $2, routed_at = now(), updated_at = now(), version = 2,"
            " attempts = 1 WHERE order_id = $1 AND status = 'PLACED'",
            order.orderId,
            order.route,
        )
        await sql.execute(
            "INSERT INTO order_events (order_id, sequence, event, actor) VALUES ($1, 2, 'ROUTED', 'faststream')",
            order.orderId,
        )
        await sql.execute(
            "INSERT INTO order_routes (id, order_id, attempt, outcome, route, decided_by, published_at)"
            " VALUES (gen_random_uuid(), $1, 1, 'ACCEPTED', $2, 'faststream', now())",
            order.orderId,
            order.route,
        )


async def remember(cache: Redis, order: RoutedOrder) -> None:
    await cache.set(f"orderStatus:{order.orderId}", order.model_dump_json(), ex=_TTL)


if __name__ == "__main__":
    asyncio.run(app.run())
