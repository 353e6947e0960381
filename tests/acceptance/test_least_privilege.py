"""The whole service under the run-time role, which owns nothing."""

from __future__ import annotations

import dataclasses
import json

import pytest
import requests
from django.conf import settings
from django.db import connections

from order_entry_project.secrets.fixed import Fixed
from orders.credentials import Login
from routing import manual
from tests.acceptance.system import system
from tests.acceptance.test_web import LOGIN, manage, web
from tests.builders import body
from tests.runbook import run
from tests.servers.roles import two_roles

COMMANDS = [
    ("verify_audit",),
    ("anchor_audit", "--settle", "0s"),
    ("order_status", "ORD-1"),
    ("table_sizes",),
    ("queue_depth", "{queue}"),
    ("stale_orders",),
    ("repair_cache",),
    ("clear_idempotency", "ORD-1", "--yes"),
    ("create_api_token", "desk", "--scope", "read"),
    ("list_api_tokens",),
    ("revoke_api_token", "desk"),
]


@pytest.fixture
def as_the_role(database, monkeypatch, django_db_blocker):
    """Lets this process work on the test's database as the role that it is given."""
    here = connections["default"].settings_dict

    def become(role: str) -> None:
        monkeypatch.setitem(here, "HOST", database.host)
        monkeypatch.setitem(here, "NAME", database.name)
        login = dataclasses.replace(settings.CREDENTIALS, sql=Fixed(Login(role, "")))
        monkeypatch.setattr(settings, "CREDENTIALS", login)
        connections["default"].close()

    with django_db_blocker.unblock():
        yield become
        connections["default"].close()


@pytest.mark.long
def test_the_service_needs_no_more_than_the_role_that_runs_it_has(database, tmp_path, as_the_role):
    with (
        two_roles(database) as roles,
        system(database, tmp_path, DATABASE__SQL_USER=roles.runtime) as service,
    ):
        service.publish(
            ("m-1", body("ORD-1")), ("m-1", body("ORD-1")), ("m-2", b"no order"), ("m-3", body("ORD-2"))
        )
        assert service.drain()["routed"] == 2
        as_the_role(roles.runtime)
        known = {"USERNAME": LOGIN[0], "PASSWORD": LOGIN[1], "EMAIL": "anna@example.com"}
        named = {f"DJANGO_SUPERUSER_{name}": value for name, value in known.items()}
        manage(service.env | named, "createsuperuser", "--noinput")
        with web(service.env, tmp_path) as url:
            made = requests.post(f"{url}/order", json=json.loads(body("ORD-3")), auth=LOGIN, timeout=10)
            assert made.status_code == 201, made.text
            manual.route_by_hand("ORD-3", route="XETRA", reason="asked by phone", actor="ann")
            with requests.Session() as person:
                person.get(f"{url}/admin/login/", timeout=10)
                form = {
                    "username": LOGIN[0],
                    "password": LOGIN[1],
                    "csrfmiddlewaretoken": person.cookies["csrftoken"],
                }
                page = person.post(f"{url}/admin/login/?next=/admin/", form, timeout=10)
                assert (page.status_code, page.url) == (200, f"{url}/admin/")
                assert person.get(f"{url}/admin/orders/order/ORD-3/change/", timeout=10).status_code == 200
            assert requests.get(f"{url}/health", timeout=10).json()["components"]["sql"] == "UP"
        service.manage("retry_pending_routes")
        for command in COMMANDS:
            answer = run(*(word.format(queue=service.queue) for word in command))
            assert answer.code == 0, (command, answer)
        assert run("export_order", "ORD-3", "--output", str(tmp_path / "bundle.json")).code == 0
        assert service.statuses() == {"ROUTED": 3}
