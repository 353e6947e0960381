"""A statement is committed and its answer never comes: nothing is lost, nothing done twice, no call made up."""

from itertools import count

import pytest

from tests.acceptance.system import system
from tests.builders import body
from tests.servers.postgres import fresh_database
from tests.sql_proxy import SqlProxy
from tests.waiting import wait_until

NUMBERS = count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sql")


@pytest.fixture(scope="module")
def proxy(postgresql, folder):
    with SqlProxy(postgresql, folder) as made:
        yield made


@pytest.fixture(scope="module")
def running(postgresql, proxy, folder):
    """A system whose worker reaches SQL through the proxy; looks at SQL itself directly."""
    with fresh_database(postgresql) as database, system(database, folder) as made:
        made.env["ORDER_ENTRY__DATABASE__SQL_HOST"] = str(proxy.folder)
        made.start("consume_orders")
        yield made


@pytest.fixture
def behind_proxy(running):
    """Where all orders are routed, at first."""
    running.router.turn(refusal_rate=0)
    await_status(running, publish(running, 1), "ROUTED")
    return running


def publish(made, orders=20):
    """As many new orders; their ids."""
    order_ids = [f"ORD-{next(NUMBERS)}" for _ in range(orders)]
    made.publish(*[(f"m-{order_id}", body(order_id)) for order_id in order_ids])
    return order_ids


def await_status(made, order_ids, status):
    statement = "SELECT count(*) FROM orders WHERE order_id = ANY(%s) AND status = %s AND claim IS NULL"
    wait_until(
        lambda: made.rows(statement, order_ids, status) == [(len(order_ids),)], what=f"all are {status}"
    )


def story(made, order_ids):
    """What all of them have in common: events and attempts."""
    statement = """
        SELECT DISTINCT
            (SELECT string_agg(event, ' ' ORDER BY sequence) FROM order_events e WHERE e.order_id = o.order_id),
            (SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM order_routes r WHERE r.order_id = o.order_id)
        FROM orders o WHERE order_id = ANY(%s)"""
    (only,) = made.rows(statement, order_ids)
    return only


def requests_of(made, order_ids):
    orders = made.router.executions()["orders"]
    return {orders[order_id]["requests"] for order_id in order_ids}


def test_orders_are_routed_once_whichever_answer_is_lost_on_their_way(behind_proxy, proxy):
    for statement in ("place", "settle_routed", "mark_published"):
        proxy.lose(statement)
        order_ids = publish(behind_proxy)
        await_status(behind_proxy, order_ids, "ROUTED")
        wait_until(lambda: proxy.lost[statement], what=f"an answer to {statement} is lost")  # noqa: B023
        assert story(behind_proxy, order_ids) == ("PLACED ROUTED", "ACCEPTED")
        assert requests_of(behind_proxy, order_ids) == {1}
    unpublished = "SELECT count(*) FROM order_routes WHERE published_at IS NULL AND route IS NOT NULL"
    wait_until(lambda: behind_proxy.rows(unpublished) == [(0,)], what="all are published")
    twice = "SELECT message_id FROM queue_messages WHERE queue = %s GROUP BY 1 HAVING count(*) > 1"
    assert behind_proxy.rows(twice, behind_proxy.routed) == []


@pytest.mark.long
def test_refused_orders_go_before_a_person_once_whichever_answer_is_lost(behind_proxy, proxy):
    behind_proxy.router.turn(refusal_rate=1)
    for statement in ("note_failures", "park"):
        proxy.lose(statement)
        order_ids = publish(behind_proxy)
        await_status(behind_proxy, order_ids, "PENDING_ROUTE")
        wait_until(lambda: proxy.lost[statement] == 1, what=f"an answer to {statement} is lost")  # noqa: B023
        assert story(behind_proxy, order_ids) == ("PLACED PENDING_ROUTE REVIEW_REQUIRED", "REFUSED")
        assert requests_of(behind_proxy, order_ids) == {1}


def test_a_sweep_whose_answer_is_lost_leaves_no_call_that_never_was(behind_proxy, proxy):
    with behind_proxy.database.connect() as connection:
        connection.execute("INSERT INTO halts (reason, actor) VALUES ('feed', 'sue')")
        order_ids = publish(behind_proxy)
        await_status(behind_proxy, order_ids, "PENDING_ROUTE")
        proxy.lose("claim_due")
        connection.execute("UPDATE halts SET lifted_at = now()")
    await_status(behind_proxy, order_ids, "ROUTED")
    assert proxy.lost["claim_due"] == 1
    assert story(behind_proxy, order_ids) == ("PLACED PENDING_ROUTE ROUTED", "ACCEPTED")
    assert requests_of(behind_proxy, order_ids) == {1}


@pytest.mark.long
def test_conflicts_are_quarantined_and_reviewed_once_whichever_answer_is_lost(behind_proxy, proxy):
    order_ids = publish(behind_proxy)
    await_status(behind_proxy, order_ids, "ROUTED")
    proxy.lose("claim_known")
    proxy.lose("quarantine")
    proxy.lose("require_review")
    behind_proxy.publish(*[(f"other-{order_id}", body(order_id, price=1)) for order_id in order_ids])
    rejected = "SELECT count(*) FROM rejected_messages WHERE reason = 'CONFLICT'"
    wait_until(lambda: behind_proxy.rows(rejected) == [(20,)], what="all are rejected")
    left = "SELECT count(*) FROM queue_messages WHERE queue = %s"
    wait_until(lambda: behind_proxy.rows(left, behind_proxy.queue) == [(0,)], what="all are acknowledged")
    assert [proxy.lost[name] for name in ("claim_known", "quarantine", "require_review")] == [1, 1, 1]
    assert story(behind_proxy, order_ids) == ("PLACED ROUTED REVIEW_REQUIRED", "ACCEPTED")
