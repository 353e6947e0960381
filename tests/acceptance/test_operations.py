"""What people and downstream do with orders while the service runs: web process, worker, broker."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.acceptance.system import system
from tests.acceptance.test_web import manage, web
from tests.builders import body
from tests.waiting import wait_until

ORDERS = [f"ORD-{number:02}" for number in range(50)]
LOGIN = {"username": "anna", "password": "correct horse battery"}


@pytest.fixture
def desk(database, rabbitmq, tmp_path):
    """A running service whose router refuses everything: fifty orders wait for a person, and there is one."""
    known = {
        "DJANGO_SUPERUSER_USERNAME": LOGIN["username"],
        "DJANGO_SUPERUSER_PASSWORD": LOGIN["password"],
        "DJANGO_SUPERUSER_EMAIL": "anna@example.com",
    }
    with system(database, tmp_path, broker=rabbitmq.url) as made:
        made.router.turn(refusal_rate=1)
        manage({**made.env, **known}, "createsuperuser", "--noinput")
        made.start("consume_orders")
        made.publish(*[(f"m-{order_id}", body(order_id)) for order_id in ORDERS])
        with web({**made.env, "WEB_CONCURRENCY": "1"}, tmp_path) as url:
            wait_until(lambda: made.statuses() == {"PENDING_ROUTE": len(ORDERS)}, what="all wait")
            yield made, url


@pytest.mark.long
def test_fifty_orders_are_routed_in_the_console_published_and_executed_over_rest(desk):
    made, url = desk
    with requests.Session() as person:
        page = person.get(f"{url}/admin/login/", timeout=10)

        def post(path, **fields):
            return person.post(
                f"{url}{path}", {"csrfmiddlewaretoken": person.cookies["csrftoken"], **fields}, timeout=30
            )

        post("/admin/login/?next=/admin/", **LOGIN)
        page = post(
            "/admin/orders/order/", action="route_to_a_venue", _selected_action=ORDERS[0], select_across="1"
        )
        assert "Of these orders, 50 will be done." in page.text
        decide = re.search(r'action="(/admin/routing/bulkaction/[^"]+/decide/)"', page.text)[1]
        page = post(decide, route="LSE-DESK", reason="the router is being mended")
        assert "50 done." in page.text

    published = []
    wait_until(lambda: published.extend(made.published()) or len(published) >= 50, what="all are published")
    assert {(message["orderId"], message["route"]) for _, message in published} == {
        (order_id, "LSE-DESK") for order_id in ORDERS
    }
    assert made.rows("SELECT DISTINCT actor, reason FROM order_events WHERE event = 'ROUTED'") == [
        ("anna", "the router is being mended")
    ]

    token = made.manage("create_api_token", "venue", "--scope", "operate").split()[-1]

    def report(order_id):
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"execution of {order_id}"}
        return requests.post(f"{url}/order/{order_id}/execution", headers=headers, timeout=30)

    with ThreadPoolExecutor(8) as venue:
        answers = list(venue.map(report, ORDERS * 2))
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(200, "EXECUTED")}
    assert made.statuses() == {"EXECUTED": 50}
    assert made.rows("SELECT count(*) FROM order_events WHERE event = 'EXECUTED'") == [(50,)]
