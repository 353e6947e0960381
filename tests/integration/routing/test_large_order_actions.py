"""Actions on many orders: in pieces, in pages, and not without end."""

from __future__ import annotations

import pytest

from orders.lifecycle import Status
from orders.models import Order
from routing import bulk
from routing.models import BulkAction
from tests.at_once import at_once
from tests.integration.routing.order_actions import choose, decide, many, path_of, told
from tests.people import ALL, person, said

pytestmark = pytest.mark.django_db


def test_a_large_choice_is_done_piece_by_piece_and_says_how_far_it_is(operator, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 4)
    many(10)
    page = decide(operator, choose(operator, "T-0000", select_across="1", action="cancel"))
    assert page.context["summary"] == "4 done, 6 still to be done"
    assert Order.objects.filter(status=Status.CANCELED).count() == 4
    assert told(page)["T-0009"] == "not yet"

    figures = operator.post(path_of(page, "go-on"), headers={"Accept": "application/json"}).json()
    assert figures == {"left": 2, "summary": "8 done, 2 still to be done"}
    page = operator.post(path_of(page, "go-on"), follow=True)
    assert page.context["summary"] == "10 done"
    assert Order.objects.filter(status=Status.CANCELED).count() == 10


def test_pieces_are_bounded_in_time_too(operator, monkeypatch):
    monkeypatch.setattr(bulk, "_SECONDS", 0.0)
    many(3)
    page = decide(operator, choose(operator, "T-0000", select_across="1", action="cancel"))
    assert page.context["summary"] == "1 done, 2 still to be done"


def test_more_orders_than_a_person_can_oversee_are_refused(operator, monkeypatch):
    monkeypatch.setattr(bulk, "MOST", 5)
    many(6)
    page = choose(operator, "T-0000", select_across="1")
    assert said(page) == [("error", "Nothing was done: choose at most 5 orders at once.")]
    assert not BulkAction.objects.exists()


def test_a_long_choice_is_shown_in_pages(operator):
    many(201)
    page = choose(operator, "T-0000", select_across="1")
    assert len(page.context["rows"]) == 200
    second = operator.get(f"/admin/routing/bulkaction/{page.context['action'].pk}/change/?p=2")
    assert [row["order"].pk for row in second.context["rows"]] == ["T-0200"]


@pytest.mark.django_db(transaction=True)
def test_a_page_that_is_open_twice_does_nothing_twice(monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 0)
    many(20)
    operator = person("anna", *ALL)
    page = decide(operator, choose(operator, "T-0000", select_across="1", action="cancel"))
    monkeypatch.setattr(bulk, "CHUNK", 20)

    def go_on(_):
        return operator.post(path_of(page, "go-on"), headers={"Accept": "application/json"}).json()

    at_once(go_on, range(3))
    operator.post(path_of(page, "go-on"))
    assert bulk.progress(page.context["action"]) == {"DONE": 20}
    for order in Order.objects.all():
        assert order.version == 2
