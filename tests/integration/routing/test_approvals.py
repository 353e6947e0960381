"""Four eyes: a manual route above the limit waits for a second person."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from orders.lifecycle import Status
from orders.models import AuditEntry, Order, OrderEvent
from routing import approvals, manual
from routing.models import OrderRoute, RouteApproval
from routing.operations import Refused
from tests.at_once import at_once
from tests.book_rows import claimed, order_in_book, parked_order
from tests.people import ALL, person, said

pytestmark = pytest.mark.django_db

WAITING = "/admin/routing/routeapproval/"


@pytest.fixture(autouse=True)
def limit(configure):
    configure("console", four_eyes_above=Decimal(14550))


@pytest.fixture
def anna():
    return person("anna", *ALL)


@pytest.fixture
def bea():
    return person("bea", "view_order", "approve_route")


def large(order_id: str = "P-1", **fields):
    """Notional 14695.50: above the limit, which the others meet."""
    return parked_order(order_id, quantity=Decimal(101), **fields)


def ask(client, order_id: str = "P-1", **changes) -> RouteApproval:
    fields = {"route": "NYSE", "reason": "client asked"} | changes
    return approvals.ask(order_id, **fields, actor=client.user.get_username(), requester_id=client.user.pk)


def decide(client, approval, decision="approve", remark=""):
    return client.post(
        f"{WAITING}{approval.pk}/decide/", {"decision": decision, "remark": remark}, follow=True
    )


def state() -> str:
    return approvals.state(approvals.with_ends(RouteApproval.objects.all()).get())


def test_an_order_above_the_limit_waits_and_the_others_are_routed(anna):
    large("P-1")
    parked_order("P-2")
    url = "/admin/orders/order/"
    page = anna.post(url, {"action": "route_to_a_venue", "_selected_action": ["P-1", "P-2"]}, follow=True)
    assert page.context["summary"] == "1 will wait for a second person, 1 will be done"
    action = page.context["action"]
    page = anna.post(
        f"/admin/routing/bulkaction/{action.pk}/decide/",
        {"route": "NYSE", "reason": "client asked"},
        follow=True,
    )
    assert page.context["summary"] == "1 waiting for a second person, 1 done"
    assert Order.objects.get(pk="P-1").status == Status.PENDING_ROUTE
    assert Order.objects.get(pk="P-2").route == "NYSE"
    approval = RouteApproval.objects.get()
    assert (approval.order_id, approval.route, approval.requested_by) == ("P-1", "NYSE", "anna")
    assert approval.requester == anna.user
    assert approval.notional == Decimal("14695.50")
    entry = AuditEntry.objects.get(action="route.ask")
    assert (entry.actor, entry.subject, entry.detail["reason"]) == ("anna", "P-1", "client asked")


def test_a_second_person_approves_and_the_event_names_both(anna, bea):
    large()
    approval = ask(anna)
    page = bea.get(WAITING).content.decode()
    assert "P-1" in page
    assert "14,695.50" in page
    assert "Approve" in bea.get(f"{WAITING}{approval.pk}/change/").content.decode()
    assert said(decide(bea, approval, remark="checked")) == [("success", "P-1 is routed to NYSE.")]

    order = Order.objects.get()
    assert (order.status, order.route, order.needs_review) == (Status.ROUTED, "NYSE", False)
    event = OrderEvent.objects.get(sequence=order.version)
    assert (event.actor, event.reason) == ("anna", "client asked (approved by bea: checked)")
    assert OrderRoute.objects.get().decided_by == "anna"
    entry = AuditEntry.objects.get(action="route.approve")
    assert (entry.actor, entry.detail["requested_by"], entry.detail["reason"]) == ("bea", "anna", "checked")
    assert state() == "APPROVED"
    assert "P-1" not in bea.get(WAITING).content.decode()
    assert "Approved" in bea.get(f"{WAITING}?state=all").content.decode()


def test_who_asked_may_not_approve_but_may_take_it_back(anna):
    large()
    approval = ask(anna)
    anna.user.user_permissions.add(*person("eve", "approve_route").user.user_permissions.all())
    assert "Approve:" not in anna.get(f"{WAITING}{approval.pk}/change/").content.decode()
    page = decide(anna, approval)
    assert "it was you who asked for it; another person decides" in page.content.decode()
    assert Order.objects.get().status == Status.PENDING_ROUTE

    decide(anna, approval, "decline", "typed the wrong venue")
    assert state() == "DECLINED"


def test_a_declined_route_leaves_the_order_and_says_why(anna, bea):
    large()
    approval = ask(anna)
    assert "a reason is required" in decide(bea, approval, "decline").content.decode()
    decide(bea, approval, "decline", "too large for NYSE")
    assert Order.objects.get().status == Status.PENDING_ROUTE
    assert "too large for NYSE" in anna.get(f"{WAITING}{approval.pk}/change/").content.decode()
    assert AuditEntry.objects.get(action="route.decline").actor == "bea"
    assert "was DECLINED by bea already" in decide(bea, approval).content.decode()
    assert ask(anna, route="LSE").route == "LSE"


@pytest.mark.parametrize("decision", ["approve", "decline"])
def test_without_the_permission_nobody_decides(anna, decision):
    large()
    approval = ask(anna)
    otto = person("otto", *ALL)
    assert decide(otto, approval, decision, "mine").status_code == 403
    assert state() == "WAITING"


def test_a_page_elsewhere_cannot_approve_in_a_person_s_name(anna, bea):
    large()
    approval = ask(anna)
    bea.handler.enforce_csrf_checks = True
    assert decide(bea, approval).status_code == 403
    assert bea.get(f"{WAITING}{approval.pk}/decide/").status_code == 405
    assert state() == "WAITING"


@pytest.mark.parametrize(
    ("otherwise", "status"),
    [
        (lambda: manual.cancel("P-1", reason="withdrawn", actor="otto"), "CANCELED"),
        (lambda: manual.route_by_hand("P-1", route="LSE", reason="r", actor="otto"), "ROUTED"),
    ],
)
def test_what_became_of_the_order_otherwise_stands_and_the_approval_is_refused(anna, bea, otherwise, status):
    large()
    approval = ask(anna)
    otherwise()
    assert state() == "OVERTAKEN"
    assert "P-1" not in bea.get(WAITING).content.decode()
    assert f"P-1 is {status.lower()}; only" in decide(bea, approval).content.decode()
    assert Order.objects.get().route in (None, "LSE")
    assert not AuditEntry.objects.filter(action="route.approve").exists()


def test_while_the_machine_calls_for_the_order_approval_is_refused_and_goes_on_waiting(anna, bea):
    large()
    approval = ask(anna)
    Order.objects.update(**claimed())
    assert "being routed by the machine until" in decide(bea, approval).content.decode()
    assert state() == "WAITING"


def test_an_approval_runs_out(anna, bea):
    large()
    approval = ask(anna)
    RouteApproval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert state() == "EXPIRED"
    assert "ask for it again" in decide(bea, approval).content.decode()
    assert ask(anna).pk != approval.pk


def test_one_order_waits_once(anna):
    large()
    ask(anna)
    with pytest.raises(Refused, match="P-1 waits for approval already: to NYSE, asked for by anna"):
        ask(anna, route="LSE")


@pytest.mark.parametrize(
    ("changes", "says"), [({"route": " "}, "expected a route"), ({"reason": " "}, "a reason is required")]
)
def test_asking_takes_a_venue_and_a_reason(anna, changes, says):
    large()
    with pytest.raises(Refused, match=says):
        ask(anna, **changes)


def test_what_is_being_routed_is_not_asked_for(anna):
    order_in_book("P-1", **claimed())
    with pytest.raises(Refused, match="being routed by the machine"):
        ask(anna)


def test_the_navigation_says_how_many_wait(anna, bea):
    large("P-1")
    large("P-2")
    ask(anna, "P-1")
    ask(anna, "P-2")
    page = bea.get("/admin/orders/order/").content.decode()
    link = page.index(f'href="{WAITING}"')
    assert ">2<" in "".join(page[link : page.index("</a>", link)].split())


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_does():
    anna = person("anna", *ALL)
    large()
    approval = ask(anna)
    deciders = [person(f"decider-{number}", "view_order", "approve_route").user for number in range(6)]

    def act(decider):
        try:
            approvals.approve(approval.pk, approver=decider)
        except Refused as refusal:
            return str(refusal)
        return None

    answers = at_once(act, deciders)
    assert answers.count(None) == 1
    assert all("was APPROVED by decider" in answer for answer in answers if answer)
    assert OrderRoute.objects.count() == 1
