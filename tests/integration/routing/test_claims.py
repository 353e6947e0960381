"""Who routes an order now: claims are exclusive, end, and are found again after a lost answer."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection

from orders import book
from orders.models import Order
from orders.sql import Sql
from routing import claims
from routing.models import OrderRoute
from tests.builders import arrival

pytestmark = pytest.mark.django_db(transaction=True)


def place(sql, *order_ids, hold=30.0, claim=None):
    book.place(
        sql, [arrival(order_id) for order_id in order_ids], claim=claim or uuid4(), hold=hold, actor="placer"
    )


def due(sql, limit=100):
    return claims.claim_due(sql, limit=limit, hold=30, actor="sweeper")


def known(sql, *arrivals, claim=None):
    return claims.claim_known(sql, arrivals, claim=claim or uuid4(), hold=30, actor="sweeper")


def park(order_id, **changes):
    Order.objects.filter(pk=order_id).update(
        status="PENDING_ROUTE", claim=None, claimed_until=None, **changes
    )


def expire(*order_ids):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders SET claimed_until = now() - interval '1 second' WHERE order_id = ANY(%s)",
            [list(order_ids)],
        )


def past(seconds=1):
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - %s * interval '1 second'", [seconds])
        return cursor.fetchone()[0]


def test_a_live_claim_is_not_taken_by_a_sweep(sql):
    place(sql, "ORD-1")
    assert due(sql) == []


def test_an_order_nobody_holds_is_taken_with_all_its_fields(sql):
    place(sql, "ORD-1")
    Order.objects.update(claim=None, claimed_until=None)

    (taken,) = due(sql)
    assert taken.order == arrival("ORD-1").order
    assert (taken.message_id, taken.status, taken.expired) == ("m-ORD-1", "PLACED", False)
    assert Order.objects.get().claim == taken.claim
    assert OrderRoute.objects.count() == 0


def test_a_claim_that_ran_out_means_that_a_call_may_have_gone_out(sql):
    place(sql, "ORD-1")
    expire("ORD-1")

    (taken,) = due(sql)
    assert taken.expired
    (lost,) = OrderRoute.objects.all()
    assert (lost.outcome, lost.attempt, lost.decided_by) == ("UNKNOWN", 1, "sweeper")
    assert "claim ran out" in lost.error
    assert Order.objects.get().attempts == taken.attempts == 1


def test_a_parked_order_is_taken_when_it_is_due_and_needs_no_review(sql):
    place(sql, "DUE", "EARLY", "REVIEW")
    park("DUE", due_at=past())
    park("EARLY", due_at=past(-60))
    park("REVIEW", due_at=past(), needs_review=True, review_reason="look")

    assert [taken.order.order_id for taken in due(sql)] == ["DUE"]


def test_finished_orders_are_never_taken(sql):
    place(sql, "ORD-1", "ORD-2", "ORD-3")
    Order.objects.update(claim=None, claimed_until=None)
    Order.objects.filter(pk="ORD-1").update(status="CANCELED")
    Order.objects.filter(pk="ORD-2").update(status="ROUTED", route="X", routed_at=past())

    assert [taken.order.order_id for taken in due(sql)] == ["ORD-3"]


def test_no_more_are_taken_than_asked_for(sql):
    place(sql, *[f"ORD-{number}" for number in range(10)])
    Order.objects.update(claim=None, claimed_until=None)
    park("ORD-0", due_at=past())

    assert len(due(sql, limit=3)) == 3
    assert len(due(sql, limit=100)) == 7


def test_many_sweeping_at_once_take_each_order_once(transactional_db):
    sql = Sql(patience=5)
    place(sql, *[f"ORD-{number:03}" for number in range(300)])
    Order.objects.update(claim=None, claimed_until=None)

    def sweep(_):
        mine = Sql(patience=5)
        taken = []
        while batch := due(mine, limit=7):
            taken += [work.order.order_id for work in batch]
        mine.close()
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [order_id for some in pool.map(sweep, range(6)) for order_id in some]
    sql.close()

    assert sorted(taken) == [f"ORD-{number:03}" for number in range(300)]


def test_a_redelivered_order_that_waits_is_taken_and_goes_on(sql):
    place(sql, "ORD-1")
    expire("ORD-1")

    entry = known(sql, arrival("ORD-1"))["ORD-1"]
    assert entry.same_content
    assert entry.claimed.expired


def test_a_redelivered_order_that_another_holds_is_left_to_it(sql):
    place(sql, "ORD-1")
    entry = known(sql, arrival("ORD-1"))["ORD-1"]
    assert (entry.same_content, entry.claimed) == (True, None)


def test_the_same_id_with_other_content_is_told_apart_and_never_taken(sql):
    place(sql, "ORD-1")
    expire("ORD-1")
    entry = known(sql, arrival("ORD-1", price=1))["ORD-1"]
    assert (entry.same_content, entry.claimed) == (False, None)


def test_an_order_that_bears_my_claim_was_placed_by_a_statement_whose_answer_was_lost(sql):
    claim = uuid4()
    place(sql, "ORD-1", claim=claim)

    entry = known(sql, arrival("ORD-1"), claim=claim)["ORD-1"]
    assert entry.claimed.claim == claim
    assert not entry.claimed.expired
    assert OrderRoute.objects.count() == 0


def test_that_a_claim_had_run_out_is_known_when_the_order_is_taken_again_after_a_lost_answer(sql):
    place(sql, "ORD-1")
    expire("ORD-1")
    claim = uuid4()

    for _ in range(2):
        assert known(sql, arrival("ORD-1"), claim=claim)["ORD-1"].claimed.expired
    assert OrderRoute.objects.count() == Order.objects.get().attempts == 1


def test_a_sweep_whose_answer_was_lost_takes_its_orders_again_and_counts_no_attempt_more(sql):
    place(sql, "FREE", "RAN-OUT")
    Order.objects.filter(pk="FREE").update(claim=None, claimed_until=None)
    expire("RAN-OUT")
    claim = uuid4()

    def sweep():
        taken = claims.claim_due(sql, limit=9, hold=30, actor="sweeper", claim=claim)
        return [(work.order.order_id, work.claim, work.expired, work.attempts) for work in taken]

    assert sweep() == sweep() == [("FREE", claim, False, 0), ("RAN-OUT", claim, True, 1)]
    assert due(sql) == []
    assert OrderRoute.objects.count() == 1


def test_a_parked_order_that_is_not_due_is_left_alone_by_a_redelivery(sql):
    place(sql, "ORD-1")
    park("ORD-1", due_at=past(-60))
    assert known(sql, arrival("ORD-1"))["ORD-1"].claimed is None


def test_a_released_claim_may_be_taken_at_once_and_leaves_no_attempt(sql):
    place(sql, "ORD-1")
    expire("ORD-1")
    taken = due(sql)
    claims.release(sql, taken)

    (again,) = due(sql)
    assert not again.expired
    assert OrderRoute.objects.count() == 1


def test_releasing_a_claim_that_is_lost_changes_nothing(sql):
    place(sql, "ORD-1")
    expire("ORD-1")
    (mine,) = due(sql)
    expire("ORD-1")
    (theirs,) = due(sql)

    claims.release(sql, [mine])
    assert Order.objects.get().claim == theirs.claim
