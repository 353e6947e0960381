"""The desk: the whole service, with people, an order book and what has gone wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from order_entry_project.embedded.postgres import USER
from tests.acceptance.system import System, system
from tests.acceptance.test_web import web
from tests.browser import people
from tests.builders import body
from tests.servers.postgres import fresh_database
from tests.waiting import wait_until

_SYMBOLS = ("AAPL", "MSFT", "NVDA", "JPM", "VOD.L", "BTC-USD")
_COUNTERPARTIES = ("Northwind Capital", "Étoile Asset Management", "Harbour & Sons", "株式会社青山")


@dataclass(frozen=True)
class Desk:
    url: str
    system: System

    def orders(self, prefix: str, count: int, *, status: str, **fields: object) -> list[str]:
        """Ids of `count` new orders, sent through the queue and settled as `status`."""
        ids = [f"{prefix}-{number:03d}" for number in range(1, count + 1)]
        bodies = [
            body(
                order_id,
                **{
                    "symbol": _SYMBOLS[number % len(_SYMBOLS)],
                    "counterparty": _COUNTERPARTIES[number % len(_COUNTERPARTIES)],
                    "side": "BUY" if number % 3 else "SELL",
                    "quantity": 100 + number,
                    "created_at": None,
                    **fields,
                },
            )
            for number, order_id in enumerate(ids)
        ]
        self.system.publish(*((f"msg-{order_id}", text) for order_id, text in zip(ids, bodies, strict=True)))
        self.settled(ids, status=status)
        return ids

    def stuck_orders(self, prefix: str, count: int, **fields: object) -> list[str]:
        """Orders that the router has refused: they wait for a person."""
        self.system.router.turn(refusal_rate=1.0)
        try:
            return self.orders(prefix, count, status="PENDING_ROUTE", **fields)
        finally:
            self.system.router.turn(refusal_rate=0.0)

    def settled(self, ids: list[str], *, status: str) -> None:
        count = "SELECT count(*) FROM orders WHERE order_id = ANY (%s) AND status = %s"
        wait_until(
            lambda: self.system.rows(count, ids, status) == [(len(ids),)], what=f"{ids[0]}… are {status}"
        )

    def rejected(self, *messages: tuple[str, bytes]) -> None:
        """Messages, each with its id, that nobody can take."""
        self.system.publish(*messages)
        there = "SELECT count(*) FROM rejected_messages WHERE message_id = ANY (%s)"
        ids = [message_id for message_id, _ in messages]
        wait_until(lambda: self.system.rows(there, ids) == [(len(ids),)], what="they are rejected")

    def published(self, order_id: str) -> bool:
        """Whether the routed order is in the routed queue."""
        return bool(
            self.system.rows(
                "SELECT 1 FROM queue_messages WHERE queue = %s AND message_id = %s",
                self.system.routed,
                f"routed:{order_id}",
            )
        )

    @contextmanager
    def without_sql(self) -> Iterator[None]:
        """Nobody can connect to the database, and whoever was connected is not."""
        database = self.system.database
        name = sql.Identifier(database.name)
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(host=database.host, user=USER, dbname="postgres", autocommit=True) as server:
            server.execute(allow.format(name, sql.SQL("false")))
            try:
                server.execute(end, [database.name])
                yield
            finally:
                server.execute(allow.format(name, sql.SQL("true")))


@contextmanager
def desk(postgresql: str, folder: Path, **settings: str) -> Iterator[Desk]:
    """An empty book, a worker and the web process; `settings` as SECTION__KEY."""
    with fresh_database(postgresql) as database:
        people.introduce(database)
        with system(database, folder, **settings) as made:
            made.start("consume_orders")
            with web({**made.env, "WEB_CONCURRENCY": "1"}, folder) as url:
                yield Desk(url, made)
