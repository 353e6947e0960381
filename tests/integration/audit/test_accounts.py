"""Who may what, and what ran with which configuration, is on record."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db import DatabaseError

from orders import audit, starts
from orders.models import AuditEntry

pytestmark = pytest.mark.django_db


def entries(*names: str) -> list[tuple]:
    return list(AuditEntry.objects.order_by("id").values_list(*names))


@pytest.fixture
def boss(client):
    user = User.objects.create_superuser("boss", "", "correct horse battery")
    client.force_login(user)
    return user


def test_what_the_console_changes_of_people_says_who_did_it_and_what_it_is_now(boss, client):
    seen = AuditEntry.objects.count()
    routers = Group.objects.create(name="routers")
    may = Permission.objects.get(codename="route_order")
    client.post(
        "/admin/auth/user/add/",
        {
            "username": "ann",
            "password1": "x9!kd83jslq-7",
            "password2": "x9!kd83jslq-7",
            "usable_password": "true",
        },
    )
    ann = User.objects.get(username="ann")
    form = {
        "username": "ann",
        "first_name": "Ann",
        "is_active": "on",
        "is_staff": "on",
        "groups": [routers.pk],
        "user_permissions": [may.pk],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    assert client.post(f"/admin/auth/user/{ann.pk}/change/", form).status_code == 302
    form["groups"] = []
    client.post(f"/admin/auth/user/{ann.pk}/change/", form)
    client.post(f"/admin/auth/user/{ann.pk}/delete/", {"post": "yes"})
    told = [
        (action, detail)
        for actor, action, detail in entries("actor", "action", "detail")[seen:]
        if actor == "boss"
    ]
    assert [action for action, _ in told] == [
        "user.create",
        "user.change",
        "user.change",
        "user.change",
        "user.change",
        "user.delete",
    ]
    details = [detail for _, detail in told]
    assert details[0]["is_superuser"] is False
    assert details[1]["is_staff"] == {"from": False, "to": True}
    assert details[1]["first_name"] == "changed"
    assert {"groups": {"added": ["routers"]}} in details
    assert {"groups": {"removed": ["routers"]}} in details
    assert any("Can route orders by hand" in str(detail) for detail in details)


def test_what_a_shell_changes_is_on_record_under_the_account_and_no_password_is(boss):
    boss.set_password("another horse battery")
    boss.save()
    boss.groups.add(Group.objects.create(name="all"))
    boss.groups.clear()
    boss.save(update_fields=["last_login"])
    (actor,), *_ = entries("actor")
    assert "@" in actor
    assert [(action, detail) for action, detail in entries("action", "detail")][-3:] == [
        ("group.create", {"name": "all"}),
        ("user.change", {"groups": {"added": ["all"]}}),
        ("user.change", {"groups": {"removed": ["all"]}}),
    ]
    assert ("user.change", {"password": "changed"}) in entries("action", "detail")
    assert "$" not in str(entries("detail"))


@pytest.mark.django_db(transaction=True)
def test_a_start_is_on_record_with_its_version_and_its_configuration_once(monkeypatch):
    shown = {"service.name": "order-entry", "mq.password": "**********"}
    monkeypatch.setattr(settings, "CHOSEN", lambda _: shown)
    starts.note_start("worker")
    starts.note_start("worker")
    monkeypatch.setattr(settings, "CHOSEN", lambda _: shown | {"mq.batch_size": 20})
    starts.note_start("worker")
    starts.note_start("web")
    told = [detail for action, detail in entries("action", "detail") if action == "service.start"]
    first, second, third, web = told
    assert first["version"] == settings.BUILD()["version"]
    assert (first["configuration"], "configuration" in second) == (shown, False)
    assert second["configuration_sha256"] == first["configuration_sha256"]
    assert third["configuration"]["mq.batch_size"] == 20
    assert web["configuration"] == third["configuration"]


def test_what_was_chosen_of_the_configuration_is_shown_without_secrets(monkeypatch):
    from order_entry_project import effective
    from order_entry_project.config import load

    monkeypatch.setenv("ORDER_ENTRY__DATABASE__SQL_PASSWORD", "canary-7")
    monkeypatch.setenv("ORDER_ENTRY__MQ__BATCH_SIZE", "77")
    shown = effective.chosen(load())
    assert shown["mq.batch_size"] == 77
    assert "database.sql_password" in shown
    assert "canary-7" not in str(shown)


@pytest.mark.django_db(transaction=True)
def test_a_start_while_sql_cannot_be_written_goes_on_and_says_so(monkeypatch, caplog):
    def refuse(**_: object) -> None:
        raise DatabaseError("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(audit, "record", refuse)
    with caplog.at_level(logging.WARNING, "orders.starts"):
        starts.note_start("worker")
    assert "The start of the worker is not on record: cannot execute INSERT" in caplog.text
