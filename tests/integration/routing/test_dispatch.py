"""Claimed orders whose calls fail, and those given up by a process that stops."""

from uuid import uuid4

import pytest
from django.db import connection

from orders import book
from orders.models import Order
from orders.sql import Sql
from routing import claims
from routing.breaker import Breaker
from routing.dispatch import Dispatcher
from routing.fleet import Fleet
from routing.lane import Lane
from routing.models import OrderRoute
from routing.policy import Policy
from routing.registry import Instance
from routing.router import RouterClient
from routing.sql_gate import SqlGate
from tests.builders import arrival
from tests.ports import free_port
from tests.scripted_server import always

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sql():
    made = Sql(patience=5)
    yield made
    made.close()


@pytest.fixture
def stop_before_any_call(reactor, sql):
    """Submits orders to a dispatcher that has no call slot free, and stops it; what it reports."""

    def stop(works, *, honours_idempotency_key):
        settled = []
        client = RouterClient(reactor, timeout=1, in_flight=0)
        lane = Lane(reactor, sql)
        dispatcher = Dispatcher(
            reactor,
            lane,
            SqlGate(reactor, lane),
            client,
            Fleet(lambda: Breaker(failures=10, base=1, cap=30)),
            policy=Policy(
                timeout=1, max_retries=3, honours_idempotency_key=honours_idempotency_key, base=0.1, cap=1
            ),
            publish_in=None,
            actor="stopping",
            on_settled=settled.extend,
            passed=lambda _: None,
        )
        dispatcher.submit(works)
        dispatcher.drain()
        reactor.call_later(0.1, reactor.stop)
        reactor.run()
        client.close()
        assert dispatcher.idle
        return settled

    return stop


@pytest.fixture
def works(sql):
    """Two orders taken: one that nobody held, one whose claim had run out."""
    book.place(sql, [arrival("FREE"), arrival("RAN-OUT")], claim=uuid4(), hold=30, actor="placer")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders SET claim = NULL, claimed_until = NULL WHERE order_id = 'FREE'")
        cursor.execute("UPDATE orders SET claimed_until = now() WHERE order_id = 'RAN-OUT'")
    return claims.claim_due(sql, limit=9, hold=30, actor="stopping")


def test_a_stopping_process_releases_what_it_has_not_called_for(works, stop_before_any_call):
    settled = stop_before_any_call(works, honours_idempotency_key=True)

    assert {end.work.order.order_id for end in settled if end.released} == {"FREE", "RAN-OUT"}
    assert set(Order.objects.values_list("status", "claim")) == {("PLACED", None)}


def test_where_the_router_ignores_the_key_a_claim_that_ran_out_is_not_forgotten_by_its_release(
    works, stop_before_any_call
):
    settled = stop_before_any_call(works, honours_idempotency_key=False)

    assert [end.work.order.order_id for end in settled if end.released] == ["FREE"]
    waiting = Order.objects.get(needs_review=True)
    assert (waiting.order_id, waiting.status, waiting.due_at) == ("RAN-OUT", "PENDING_ROUTE", None)
    assert "its claim ran out" in waiting.review_reason


@pytest.fixture
def route(reactor, sql):
    """Routes one order with a fleet of these instances; its attempts, as (outcome, endpoint)."""
    clients = []

    def run(*instances, honours_idempotency_key=True):
        book.place(sql, [arrival("ORD-1")], claim=uuid4(), hold=30, actor="placer")
        Order.objects.update(claim=None, claimed_until=None)
        client = RouterClient(reactor, timeout=1, in_flight=1)
        clients.append(client)
        fleet = Fleet(lambda: Breaker(failures=10, base=1, cap=30))
        fleet.update(instances, now=0)
        policy = Policy(
            timeout=1, max_retries=3, honours_idempotency_key=honours_idempotency_key, base=0.01, cap=1
        )
        lane = Lane(reactor, sql)
        dispatcher = Dispatcher(
            reactor,
            lane,
            SqlGate(reactor, lane),
            client,
            fleet,
            policy=policy,
            publish_in=None,
            actor="router",
            on_settled=lambda ended: reactor.stop() if ended else None,
            passed=lambda _: None,
        )
        dispatcher.submit(claims.claim_due(sql, limit=1, hold=30, actor="router"))
        reactor.run()
        rows = OrderRoute.objects.order_by("attempt").values_list("outcome", "endpoint")
        return Order.objects.get().status, list(rows)

    yield run
    for client in clients:
        client.close()


def test_a_call_that_fails_at_one_router_is_repeated_at_another(route, serve):
    accepts = serve(always(b'{"route": "LSE"}')).url
    busy = serve(always(b"", status="503 Busy", headers="Retry-After: 120\r\n")).url
    refused = f"http://127.0.0.1:{free_port()}"
    best_first = [Instance(endpoint, priority=n) for n, endpoint in enumerate((refused, busy, accepts))]
    assert route(*best_first) == (
        "ROUTED",
        [("UNREACHABLE", refused), ("UNREACHABLE", busy), ("ACCEPTED", accepts)],
    )


def test_a_call_that_may_have_been_received_goes_to_no_other_router_unless_all_honour_its_key(route, serve):
    accepts = serve(always(b'{"route": "LSE"}'))
    drops = serve(lambda line: line.read()).url
    both = Instance(drops), Instance(accepts.url, priority=1)
    assert route(*both, honours_idempotency_key=False) == ("PENDING_ROUTE", [("UNKNOWN", drops)])
    assert accepts.connections == 0


def test_a_call_that_may_have_been_received_is_repeated_at_another_router_with_the_same_key(route, serve):
    accepts = serve(always(b'{"route": "LSE"}'))
    drops = serve(lambda line: line.read())
    status, attempts = route(Instance(drops.url), Instance(accepts.url, priority=1))
    assert (status, attempts) == ("ROUTED", [("UNKNOWN", drops.url), ("ACCEPTED", accepts.url)])
    keys = {server.requests[0].headers["idempotency-key"] for server in (drops, accepts)}
    assert keys == {"ORD-1"}
