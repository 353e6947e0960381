"""The console's pages of halts, and the banner that everyone sees while routing is halted."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import halts
from orders.models import AuditEntry, Halt
from tests.book_rows import parked_order
from tests.people import person

pytestmark = pytest.mark.django_db

PAGE = "/admin/orders/halt/"


@pytest.fixture
def supervisor():
    return person("anna", "view_halt", "view_order", "halt_routing")


def text(response: Any) -> str:
    assert response.status_code == 200, response
    page = re.sub(r"<script.*?</script>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def place(client: Client, **fields: str) -> Any:
    return client.post(
        f"{PAGE}add/", {"scope": "everything", "reason": "feed is wrong"} | fields, follow=True
    )


def waiting(order_id: str, **fields: Any) -> None:
    parked_order(order_id, needs_review=False, review_reason="", due_at=timezone.now(), **fields)


def test_a_halt_is_placed_says_how_many_orders_wait_and_is_lifted(supervisor):
    waiting("ORD-1")
    waiting("ORD-2", symbol="MSFT")
    assert "Nothing is halted" in text(supervisor.get(PAGE))
    until = (timezone.now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    placed = place(supervisor, scope="symbol", name="AAPL", until=f"{until:%Y-%m-%dT%H:%M}")
    assert "Routing of AAPL is halted, which holds 1 order." in text(placed)
    halt = Halt.objects.get()
    assert (halt.symbol, halt.counterparty, halt.actor, halt.until) == ("AAPL", None, "anna", until)

    page = f"{PAGE}{halt.pk}/lift/"
    assert "It holds 1 order. They are due at once" in text(supervisor.get(page))
    assert "This field is required" in text(supervisor.post(page, {"reason": ""}))
    assert "The halt of AAPL is lifted" in text(supervisor.post(page, {"reason": "mended"}, follow=True))
    assert "was not in force any more" in text(supervisor.post(page, {"reason": "mended"}, follow=True))
    assert "It is not in force any more" in text(supervisor.get(page))
    assert list(
        AuditEntry.objects.filter(action__startswith="halt").order_by("id").values_list("action", "actor")
    ) == [
        ("halt.place", "anna"),
        ("halt.lift", "anna"),
    ]
    assert "halt.lift mended" in text(supervisor.get(f"{PAGE}{halt.pk}/change/"))
    assert "lifted" in text(supervisor.get(PAGE))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": ""}, "This field is required"),
        ({"name": "AAPL"}, "Everything has no name"),
        ({"scope": "symbol"}, "Expected a symbol of 1 to 32"),
        ({"scope": "symbol", "name": "A" * 33}, "Expected a symbol of 1 to 32"),
        ({"scope": "counterparty"}, "Expected a counterparty"),
        ({"scope": "all"}, "Select a valid choice"),
        ({"until": "2020-01-01T10:00"}, "Not halted: expected an end in the future"),
        ({"until": "tomorrow"}, "Enter a valid date/time"),
    ],
)
def test_what_is_no_halt_is_refused_and_says_why(supervisor, fields, said):
    assert said in text(place(supervisor, **fields))
    assert not Halt.objects.exists()


def test_an_action_of_the_list_leads_to_lifting_one(supervisor):
    ids = [halts.halt(reason=reason, actor="sue").pk for reason in "ab"]
    answer = supervisor.post(PAGE, {"action": "lift", "_selected_action": ids}, follow=True)
    assert "choose one" in text(answer)
    answer = supervisor.post(PAGE, {"action": "lift", "_selected_action": ids[:1]})
    assert answer["Location"] == f"{PAGE}{ids[0]}/lift/"
    assert supervisor.get(f"{PAGE}999/lift/").status_code == 404


def test_who_may_only_look_places_and_lifts_none():
    viewer = person("anna", "view_halt", "view_order", "route_order")
    halt = halts.halt(reason="feed is wrong", actor="sue")
    page = text(viewer.get(PAGE))
    assert "feed is wrong" in page
    assert "Lift…" not in page
    assert "Halt routing…" not in page
    for path in ("add/", f"{halt.pk}/lift/"):
        assert viewer.get(PAGE + path).status_code == 403
        assert viewer.post(PAGE + path, {"scope": "everything", "reason": "r"}).status_code == 403
    assert halts.in_force().count() == 1


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ({}, "Routing of everything is halted : feed is wrong"),
        ({"symbol": "AAPL"}, "Routing of symbol AAPL is halted"),
        ({"counterparty": "<b>ACME"}, "Routing of counterparty &lt;b&gt;ACME is halted"),
    ],
)
def test_while_something_is_halted_every_page_says_so(supervisor, scope, said):
    halt = halts.halt(reason="feed is wrong", actor="sue", **scope)
    pages = ["/admin/", "/admin/orders/order/", f"{PAGE}add/", f"{PAGE}{halt.pk}/change/"]
    for page in pages:
        assert said in text(supervisor.get(page)), page
    halts.lift(halt.pk, reason="mended", actor="sue")
    for page in pages:
        assert "Routing of" not in text(supervisor.get(page)), page


def test_the_banner_is_for_those_who_may_see_orders_and_costs_one_question():
    halts.halt(reason="feed is wrong", actor="sue")
    client = person("anna")
    with CaptureQueriesContext(connection) as queries:
        assert "Routing of" not in text(client.get("/admin/"))
    assert not any('"halts"' in query["sql"] for query in queries)
    assert "Routing of" not in text(Client().get("/admin/login/"))
    User.objects.get().user_permissions.set(Permission.objects.filter(codename="view_order"))
    with CaptureQueriesContext(connection) as queries:
        assert "Routing of everything" in text(client.get("/admin/orders/order/"))
    assert sum('"halts"' in query["sql"] for query in queries) == 1
