"""Orders leave the console as CSV: as filtered, to the letter, safe to open, without being held in memory."""

from __future__ import annotations

import csv
import io

import pytest
from django.test import Client

from orders.admin import export
from orders.models import AuditEntry, Order
from tests.book_rows import order_in_book, parked_order, routed_order
from tests.people import person

pytestmark = pytest.mark.django_db

EXPORT = "/admin/orders/order/export/"


@pytest.fixture
def operator() -> Client:
    return person("anna", "view_order", "export_order")


def rows(client: Client, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"{EXPORT}?{query}")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="orders-')
    return list(csv.DictReader(io.StringIO(b"".join(response).decode(), newline="")))


def test_an_order_is_a_line_with_exact_numbers_and_times(operator):
    routed_order(counterparty="ACME, Ltd.")
    (row,) = rows(operator)
    wanted = {
        "order_id": "ORD-20260214-001",
        "status": "ROUTED",
        "quantity": "100",
        "price": "145.50",
        "counterparty": "ACME, Ltd.",
        "route": "NASDAQ-EXECUTION-1",
        "needs_review": "no",
        "created_at": "2026-02-14T10:30:45Z",
        "routed_at": "2026-02-14T10:30:48Z",
    }
    assert {name: row[name] for name in wanted} == wanted


def test_an_export_has_what_the_list_shows_and_all_that_follows(operator):
    for number in range(60):
        order_in_book(f"A-{number:02}")
    parked_order("P-1")
    assert len(rows(operator)) == 61
    assert [row["order_id"] for row in rows(operator, "needs_review__exact=1")] == ["P-1"]
    assert [row["order_id"] for row in rows(operator, "q=A-0&o=0")][:2] == ["A-00", "A-01"]


def test_an_empty_list_is_its_headings(operator):
    response = operator.get(EXPORT)
    assert b"".join(response).decode().strip() == ",".join(export.COLUMNS)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_nothing_in_it_is_taken_for_a_formula(operator, start):
    order_in_book(counterparty=f"{start}HYPERLINK(1)")
    assert rows(operator)[0]["counterparty"] == f"'{start}HYPERLINK(1)"


def test_rows_are_fetched_as_they_are_sent(monkeypatch):
    monkeypatch.setattr(export, "_FETCHED", 2)
    for number in range(5):
        order_in_book(f"A-{number}")
    blocks = list(export.lines(Order.objects.order_by("order_id")))
    assert [block.count("\r\n") for block in blocks] == [1, 2, 2, 1]


def test_who_exported_what_is_on_record(operator):
    rows(operator, "status__exact=ROUTED")
    entry = AuditEntry.objects.get(action__startswith="order")
    assert (entry.actor, entry.action, entry.detail) == (
        "anna",
        "orders.export",
        {"filters": "status__exact=ROUTED"},
    )


def test_without_the_permission_nothing_leaves():
    viewer = person("anna", "view_order")
    order_in_book()
    assert viewer.get(EXPORT).status_code == 403
    assert "Export as CSV" not in viewer.get("/admin/orders/order/").content.decode()
    assert not AuditEntry.objects.filter(action__startswith="order").exists()


def test_the_list_offers_it_with_its_filters(operator):
    page = operator.get("/admin/orders/order/?status__exact=ROUTED").content.decode()
    assert f'href="{EXPORT}?status__exact=ROUTED"' in page


def test_filters_that_cannot_be_understood_are_refused(operator):
    assert operator.get(f"{EXPORT}?created_at_from=yesterday").status_code == 400
