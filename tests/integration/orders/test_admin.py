"""The console, as its users see it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consumers.models import RejectedMessage
from orders.admin.pages import BoundedPaginator
from orders.models import Order
from routing.models import OrderRoute
from tests.book_rows import CREATED_AT, order_in_book, parked_order, routed_order
from tests.people import person

pytestmark = pytest.mark.django_db

ORDERS = "/admin/orders/order/"
MESSAGES = "/admin/consumers/rejectedmessage/"


@pytest.fixture
def viewer() -> Client:
    return person("anna", "view_order", "view_rejectedmessage")


def listed(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{ORDERS}?{query}")
    assert response.status_code == 200
    return re.findall(
        rf'<a href="{ORDERS}[^"]*/change/[^"]*"[^>]*>\s*([^<\s]+)\s*</a>', response.content.decode()
    )


class TestOrders:
    def test_the_list_shows_orders_newest_first_with_exact_numbers(self, viewer):
        order_in_book("OLD", counterparty="ACME")
        order_in_book("NEW", created_at=CREATED_AT + timedelta(hours=1))
        assert listed(viewer) == ["NEW", "OLD"]
        page = viewer.get(ORDERS).content.decode()
        assert ">145.50<" in page
        assert ">100<" in page
        assert "order-entry" in page

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("status__exact=ROUTED", {"R-1"}),
            ("needs_review__exact=1", {"P-1"}),
            ("side__exact=SELL", {"S-1"}),
            ("counterparty=ACME", {"P-1", "S-1"}),
            ("counterparty=ACM", set()),
            ("created_at_from=2026-02-14&created_at_to=2026-02-14", {"R-1", "P-1", "S-1"}),
            ("created_at_from=2026-02-15", set()),
            ("created_at_to=2026-02-13", set()),
            ("q=R-", {"R-1"}),
            ("q=-1", set()),
            ("q=ACME", {"P-1", "S-1"}),
            ("q=MSFT", {"S-1"}),
            ("q=%20%20", {"R-1", "P-1", "S-1"}),
            ("q=%25", set()),
            ("q=_-1", set()),
            ("q=%00", {"R-1", "P-1", "S-1"}),
        ],
    )
    def test_filters_and_search_find_orders(self, viewer, query, expected):
        routed_order("R-1")
        parked_order("P-1", counterparty="ACME")
        order_in_book("S-1", counterparty="ACME", symbol="MSFT", side="SELL")
        assert set(listed(viewer, query)) == expected

    @pytest.mark.parametrize(
        ("query", "condition", "index"),
        [
            ("q=ORD-2026", "LIKE 'ORD-2026%'", "orders_pkey"),
            ("q=ACME", "\"counterparty\" = 'ACME'", "orders_by_counterparty"),
            ("q=AAPL", "\"symbol\" = 'AAPL'", "orders_by_symbol"),
        ],
    )
    def test_search_goes_by_one_index(self, viewer, query, condition, index):
        order_in_book("ORD-20260214-001", counterparty="ACME")
        with CaptureQueriesContext(connection) as queries:
            assert listed(viewer, query) == ["ORD-20260214-001"]
        search = [query["sql"] for query in queries if condition in query["sql"]][-1]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("EXPLAIN " + search)
            assert index in "\n".join(row[0] for row in cursor.fetchall())

    def test_the_list_costs_the_same_however_many_orders_it_shows(self, viewer):
        order_in_book("A")
        with CaptureQueriesContext(connection) as few:
            listed(viewer)
        for number in range(20):
            routed_order(f"B-{number}")
        with CaptureQueriesContext(connection) as many:
            listed(viewer)
        assert len(many) == len(few)

    def test_a_day_that_is_none_is_refused(self, viewer):
        response = viewer.get(f"{ORDERS}?created_at_from=yesterday")
        assert response["Location"] == f"{ORDERS}?e=1"

    def test_no_more_orders_are_counted_than_anyone_turns_pages(self, monkeypatch, viewer):
        monkeypatch.setattr(BoundedPaginator, "MOST", 2)
        for number in range(3):
            order_in_book(f"A-{number}")
        assert BoundedPaginator(Order.objects.all(), 50).count == 2
        assert re.search(r"2 or more\s+orders", viewer.get(ORDERS).content.decode())

    def test_where_counting_takes_too_long_only_that_there_is_a_next_page_is_known(self, monkeypatch):
        for number in range(5):
            order_in_book(f"A-{number}")
        monkeypatch.setattr(BoundedPaginator, "MILLISECONDS", 1)
        slow = Order.objects.order_by("pk").extra(where=["pg_sleep(0.005) IS NOT NULL"])
        paginator = BoundedPaginator(slow, 2, page=2)
        assert (paginator.count, paginator.is_open) == (5, True)
        with CaptureQueriesContext(connection) as asked:
            assert [order.pk for order in paginator.page(2)] == ["A-2", "A-3"]
        assert len(asked) == 0
        last = BoundedPaginator(slow, 2, page=3)
        assert (last.count, last.is_open) == (5, False)
        assert [order.pk for order in last.page(3)] == ["A-4"]

    def test_an_order_s_page_shows_its_events_and_routes(self, viewer):
        order = parked_order()
        OrderRoute.objects.create(
            id="11111111-1111-1111-1111-111111111111",
            order=order,
            attempt=1,
            outcome="REFUSED",
            decided_by="router",
            error="<script>alert(1)</script>",
            http_status=422,
        )
        page = viewer.get(f"{ORDERS}ORD-20260214-001/change/").content.decode()
        for text in ("Placed", "Pending Route", "Review Required", "Refused", "422", "the router refused it"):
            assert text in page
        assert "&lt;script&gt;alert" in page
        assert "<script>alert" not in page

    def test_a_page_of_no_order_leads_back(self, viewer):
        assert viewer.get(f"{ORDERS}ORD-404/change/").status_code == 302

    @pytest.mark.parametrize("path", ["add/", "ORD-20260214-001/delete/"])
    def test_nobody_adds_or_deletes_an_order_by_hand(self, admin_client, path):
        order_in_book()
        assert admin_client.get(f"{ORDERS}{path}").status_code == 403

    def test_nobody_changes_an_order_by_hand(self, admin_client):
        order_in_book()
        response = admin_client.post(f"{ORDERS}ORD-20260214-001/change/", {"symbol": "MINE"})
        assert response.status_code == 403
        assert Order.objects.get().symbol == "AAPL"

    def test_strangers_are_led_to_the_login(self, client):
        assert client.get(ORDERS)["Location"].startswith("/admin/login/")

    def test_staff_without_the_permission_see_no_orders(self):
        assert person("anna").get(ORDERS).status_code == 403


class TestRejectedMessages:
    def rejected(self, **fields: Any) -> RejectedMessage:
        row = {
            "queue": "TRADE.VALIDATED.ORDERS",
            "message_id": "m-1",
            "body": b'{"price": -1}',
            "body_hash": bytes(32),
            "reason": "BAD_VALUE",
            "error": "price is -1, expected more than 0",
            "headers": {"x-origin": "<b>desk</b>"},
        }
        return RejectedMessage.objects.create(**(row | fields))

    def test_the_list_says_what_was_wrong_and_filters_by_reason(self, viewer):
        self.rejected()
        self.rejected(message_id="m-2", reason="UNREADABLE", error="not JSON")
        page = viewer.get(f"{MESSAGES}?reason__exact=UNREADABLE").content.decode()
        assert "not JSON" in page
        assert "expected more than 0" not in page

    def test_the_list_does_not_fetch_bodies(self, viewer):
        self.rejected(body=b"x" * 1_048_576)
        with CaptureQueriesContext(connection) as queries:
            viewer.get(MESSAGES)
        assert not any('"rejected_messages"."body",' in query["sql"] for query in queries)

    def test_a_body_can_be_read(self, viewer):
        message = self.rejected(body='{"note": "<script>\x00 Zürich"'.encode())
        page = viewer.get(f"{MESSAGES}{message.pk}/change/").content.decode()
        assert "&lt;script&gt;\\x00 Zürich" in page
        assert "&lt;b&gt;desk" in page

    def test_a_body_of_bytes_is_dumped(self, viewer):
        message = self.rejected(body=b"\xc3\x01\xff\x00ORD")
        assert "c3 01 ff 00 4f 52 44" in viewer.get(f"{MESSAGES}{message.pk}/change/").content.decode()

    @pytest.mark.parametrize("path", ["add/", "{}/delete/"])
    def test_nobody_adds_or_deletes_one(self, admin_client, path):
        message = self.rejected()
        assert admin_client.get(MESSAGES + path.format(message.pk)).status_code == 403


def test_messages_of_the_embedded_queue_are_not_shown(admin_client):
    assert admin_client.get("/admin/consumers/queuemessage/").status_code == 404


@pytest.mark.parametrize("path", ["/admin/", ORDERS, MESSAGES, "/admin/auth/user/"])
def test_a_superuser_is_shown_every_page(admin_client, path):
    assert admin_client.get(path).status_code == 200
