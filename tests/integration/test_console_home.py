"""The console's first page says what needs a person, and says so when it cannot know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from consumers.models import RejectedMessage, WorkerState
from consumers.worker_states import WorkerReports
from order_entry_project.console import history, home, waiting
from order_entry_project.console.history import Periods
from orders import bounded, halts
from orders.bounded import TooSlow
from orders.metrics import store_breaker_open
from orders.sql import Sql
from routing.models import OrderRoute
from tests.book_rows import order_in_book, parked_order, routed_order
from tests.people import person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(home, "_kept", home.Kept())
    monkeypatch.setattr(
        history, "_minutes", Periods(60, timedelta(minutes=1), ask=history._minute, life=lambda _: 60)
    )
    monkeypatch.setattr(history, "_days", Periods(14, timedelta(days=1), ask=history._day, life=lambda _: 60))
    monkeypatch.setattr(
        home.health.HealthView.health, "states", lambda: {"mq": True, "sql": True, "aerospike": False}
    )


@pytest.fixture
def viewer() -> Client:
    return person("anna", "view_order", "view_rejectedmessage", "view_halt")


def accepted(order, *, decided_at: datetime, latency: float = 12.5, published: bool = True) -> None:
    OrderRoute.objects.create(
        id=uuid4(),
        order=order,
        attempt=1,
        outcome="ACCEPTED",
        route="NYSE",
        latency_ms=latency,
        stages_ms=[1.0, 0.5, 2.0, 0.5, 1.5],
        decided_by="worker",
        decided_at=decided_at,
        publish_after=decided_at,
        published_at=decided_at if published else None,
    )


def test_the_home_page_counts_what_waits_and_links_to_it(viewer):
    parked_order("P-1")
    order_in_book("N-1")
    accepted(routed_order("R-1"), decided_at=datetime.now(UTC) - timedelta(hours=2), published=False)
    RejectedMessage.objects.create(
        queue="Q", message_id="m", body=b"x", body_hash=bytes(32), reason="BAD_VALUE", error="price"
    )
    halts.halt(reason="news", actor="anna", symbol="AAPL")
    page = viewer.get("/admin/").content.decode()
    for name, link, count in (
        ("review", "/admin/orders/order/?needs_review__exact=1", "1"),
        ("pending", "/admin/orders/order/?status__exact=PENDING_ROUTE", "1"),
        ("rejected", "/admin/consumers/rejectedmessage/", "1"),
        ("unpublished", "/admin/orders/order/?unpublished=yes", "1"),
        ("halts", "/admin/orders/halt/", "1"),
    ):
        tile = page[page.index(f'id="tile-{name}"') :].partition("</a>")[0]
        assert f'href="{link}"' in tile
        assert f">{count}<" in tile
        assert viewer.get(link).status_code == 200
    assert "bad value <strong>1</strong>" in page
    assert "lag 2 h" in page
    assert "DEGRADED" in page


def test_an_empty_book_is_shown_as_one(viewer):
    page = viewer.get("/admin/").content.decode()
    assert page.count(">none<") == 5
    assert "Nothing in this time." in page


def test_the_last_hour_is_counted_by_the_minute(viewer):
    a_minute_ago = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
    for number in range(30):
        accepted(routed_order(f"R-{number}"), decided_at=a_minute_ago, latency=10.0 + number)
    hour = history.last_hour(datetime.now(UTC))
    (minute,) = [period.value for period in hour if period.value and period.value.routed]
    assert (minute.routed, minute.unanswered, minute.refused) == (30, 0, 0)
    assert minute.median == pytest.approx(5.5 + 10 + 14)
    assert minute.late == pytest.approx(5.5 + 10 + 28)
    assert "0.1</strong> orders a second" in viewer.get("/admin/home/").content.decode()


def test_a_minute_that_is_over_is_asked_for_once():
    asked = []
    periods = Periods(
        3, timedelta(minutes=1), ask=lambda start, _: asked.append(start) or 1, life=lambda _: 60
    )
    end = datetime(2026, 2, 14, 10, 30, tzinfo=UTC)
    assert [period.value for period in periods.until(end)] == [1, 1, 1]
    periods.until(end)
    periods.until(end + timedelta(minutes=1))
    assert len(asked) == 4


def test_what_takes_too_long_to_count_is_a_gap():
    def ask(start, _):
        if start.minute == 28:
            raise TooSlow
        return 1

    periods = Periods(3, timedelta(minutes=1), ask=ask, life=lambda _: 60)
    end = datetime(2026, 2, 14, 10, 30, tzinfo=UTC)
    assert [period.value for period in periods.until(end)] == [1, None, 1]


def test_a_statement_that_takes_too_long_is_given_up():
    with pytest.raises(TooSlow):
        bounded.rows("SELECT pg_sleep(5)", {}, milliseconds=20)
    assert bounded.rows("SELECT 1", {}, milliseconds=1000) == [(1,)]


def test_counts_end_where_nobody_reads_the_digits(monkeypatch):
    monkeypatch.setattr(waiting, "MOST", 2)
    for number in range(3):
        parked_order(f"P-{number}")
    assert waiting.in_review().text == "2 or more"


def test_days_are_counted_by_status_and_link_to_their_orders(viewer):
    now = datetime.now(UTC)
    routed_order("R-1", created_at=now, routed_at=now)
    parked_order("P-1", created_at=now)
    assert history.last_days(now)[-1].value == {"ROUTED": 1, "PENDING_ROUTE": 1}
    page = viewer.get("/admin/home/").content.decode()
    link = f"/admin/orders/order/?created_at_from={now:%Y-%m-%d}&amp;created_at_to={now:%Y-%m-%d}"
    assert link in page
    assert "R-1" in viewer.get(link.replace("&amp;", "&")).content.decode()


def test_both_figures_of_the_last_hour_go_by_an_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement, index in (
            (history._PLACED, "order_events_at"),
            (history._ATTEMPTS, "order_routes_decided_at"),
        ):
            cursor.execute("EXPLAIN " + statement, {"start": datetime.now(UTC), "end": datetime.now(UTC)})
            assert index in "\n".join(row[0] for row in cursor.fetchall())


def test_many_who_look_cost_one_question(viewer, django_assert_num_queries):
    viewer.get("/admin/home/")
    parked_order()
    assert ">1<" not in viewer.get("/admin/home/").content.decode()
    with django_assert_num_queries(4):  # of session and permissions
        viewer.get("/admin/home/")


def test_without_sql_the_page_says_so(viewer, monkeypatch):
    def away(*_, **__):
        raise home.OperationalError("connection refused")

    monkeypatch.setattr(bounded, "rows", away)
    page = viewer.get("/admin/").content.decode()
    assert "The order book (SQL) does not answer." in page


def test_who_may_not_see_orders_sees_no_figures():
    client = person("anna")
    assert "tile-review" not in client.get("/admin/").content.decode()
    assert "tile-review" not in client.get("/admin/home/").content.decode()


def test_strangers_are_sent_to_the_login(client):
    assert client.get("/admin/home/")["Location"].startswith("/admin/login/")


def test_the_page_holds_no_script_of_its_own(viewer):
    page = viewer.get("/admin/").content.decode()
    assert "<script>" not in page
    assert "/static/console/home.js" in page


class TestWorkers:
    def test_breakers_are_shown_with_the_number_of_workers_at_which_they_stand_so(self, viewer):
        WorkerState.objects.bulk_create(
            [
                WorkerState(worker="w-1", breakers={"router 10.0.0.1:80": "open", "redis store": "closed"}),
                WorkerState(worker="w-2", breakers={"router 10.0.0.1:80": "closed", "redis store": "closed"}),
                WorkerState(
                    worker="w-3",
                    breakers={"redis store": "open"},
                    seen_at=datetime.now(UTC) - timedelta(minutes=2),
                ),
            ]
        )
        page = " ".join(viewer.get("/admin/").content.decode().split())
        assert "<strong>router 10.0.0.1:80</strong> breaker closed at 1, open at 1" in page
        assert "<strong>redis store</strong> breaker closed<" in page
        assert "<strong>workers</strong> 2" in page
        assert "1 that has said nothing for a while" in page

    def test_without_any_it_says_so(self, viewer):
        assert "<strong>workers</strong> 0" in viewer.get("/admin/").content.decode()

    @pytest.mark.django_db(transaction=True)
    def test_a_worker_tells_of_itself_what_has_changed_at_once_and_takes_leave(self):
        sql = Sql(patience=5)
        reports = WorkerReports(sql, "w-1")
        gauge = store_breaker_open.labels("told")
        try:
            reports.tell()
            assert WorkerState.objects.get().breakers["told store"] == "closed"
            seen = WorkerState.objects.get().seen_at
            reports.tell()
            assert WorkerState.objects.get().seen_at == seen
            gauge.set(1)
            reports.tell()
            assert WorkerState.objects.get().breakers["told store"] == "open"
            WorkerState.objects.create(
                worker="w-0", breakers={}, seen_at=datetime.now(UTC) - timedelta(minutes=11)
            )
            gauge.set(0)
            reports.tell()
            assert WorkerState.objects.get().worker == "w-1"
            reports.end()
            assert not WorkerState.objects.exists()
        finally:
            store_breaker_open.remove("told")
            sql.close()
