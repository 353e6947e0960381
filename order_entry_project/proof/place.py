"""What one case has of its own: an order book, two queues, records in the stores; all of it goes with the case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings

from consumers import idempotency
from consumers.offsets import Offsets
from order_entry_project.proof.ground import Ground, environment
from order_entry_project.proof.queues import AmqpQueues, EmbeddedQueues, Queues
from orders import status_cache
from orders.status_cache import StatusCache
from orders.stores.choice import open_store
from orders.stores.port import Store, StoreUnavailable

# Short, so that what a killed worker held is soon free for another.
_ROUTER = {"timeout": "1500ms", "claim": "3s", "max_backoff": "1s", "honours_idempotency_key": True}
_REPUBLISH_AFTER = "1s"


@dataclass(frozen=True)
class Place:
    """`env`: what makes a worker use it, beside its ground's."""

    name: str
    book: psycopg.Connection[Any]
    queues: Queues
    cache: StatusCache
    env: Mapping[str, str]


@contextmanager
def own_place(ground: Ground, name: str, order_ids: Sequence[str]) -> Iterator[Place]:
    """`order_ids`: of whatever may come into the stores."""
    database = f"order_entry_proof_{name}"
    consumer, producer = f"PROVE.{name}.VALIDATED", f"PROVE.{name}.ROUTED"
    with ground.server.database(database, ground.template), closing(ground.server.connect(database)) as book:
        queues = _queues(book, consumer, producer)
        queues.declare()
        cache = status_cache.from_settings(_store(settings.CONFIG.cache_store, book))
        try:
            yield Place(name, book, queues, cache, _environment(database, consumer, producer))
        finally:
            queues.delete()
            _forget(book, cache, order_ids, consumer)


def _queue_type() -> str:
    """What is taken from a stream stays in it: whether all has been taken cannot be seen there."""
    configured = settings.CONFIG.mq.queue_type
    return "quorum" if configured == "stream" else configured


def _queues(book: psycopg.Connection[Any], consumer: str, producer: str) -> Queues:
    if settings.CONFIG.mq.embedded:
        return EmbeddedQueues(book, consumer, producer)
    return AmqpQueues(consumer, producer, kind=_queue_type())


def _environment(database: str, consumer: str, producer: str) -> dict[str, str]:
    mq = {
        "consumer_queue": consumer,
        "queue_type": _queue_type(),
        "declare": False,
        "republish_after": _REPUBLISH_AFTER,
        **({"producer_queue": producer} if settings.CONFIG.mq.producer_queue else {}),
    }
    return environment(database={"sql_database": database}, mq=mq, router=_ROUTER)


def _store(name: str, book: psycopg.Connection[Any]) -> Store:
    def run(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        cursor = psycopg.Cursor(book)
        cursor.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    return open_store(name, run=run)


def _forget(
    book: psycopg.Connection[Any], cache: StatusCache, order_ids: Sequence[str], consumer: str
) -> None:
    """Remove what a store that is not in the book would keep. One that is away keeps some of it, for its time."""
    marks = idempotency.from_settings(_store(settings.CONFIG.idempotency_store, book))
    offsets = Offsets(marks.store, group=settings.CONFIG.mq.consumer_group)
    with suppress(StoreUnavailable):
        cache.store.remove([cache.key(order_id) for order_id in order_ids])
        marks.store.remove([*(marks.key(order_id) for order_id in order_ids), offsets.key(consumer)])
