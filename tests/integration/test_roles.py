"""Viewer, operator and supervisor come with the database, each with what its work needs."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User

from order_entry_project.console import roles

pytestmark = pytest.mark.django_db


def permissions_of(group: str) -> set[str]:
    rows = Permission.objects.filter(group__name=group).values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def member(role: str) -> User:
    user = User.objects.create(username=role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_has_what_it_is_said_to_have(role):
    assert permissions_of(role) == roles.ROLES[role]


def test_each_role_has_all_that_the_one_before_it_has():
    assert roles.ROLES["viewer"] < roles.ROLES["operator"] < roles.ROLES["supervisor"]


def test_nobody_may_change_orders_or_their_history_by_hand():
    verbs = ("change", "delete")
    touching = {p for p in roles.ROLES["supervisor"] if p.partition(".")[2].startswith(verbs)}
    assert touching == set()


def test_what_was_changed_by_hand_is_as_it_was_after_a_migrate():
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.add(Permission.objects.get(codename="halt_routing"))
    mine = Group.objects.create(name="night shift")
    mine.permissions.add(Permission.objects.get(codename="halt_routing"))
    roles.grant(sender=apps.get_app_config("orders"), using="default")
    assert permissions_of("viewer") == roles.ROLES["viewer"]
    assert permissions_of("night shift") == {"orders.halt_routing"}


@pytest.mark.parametrize(
    ("role", "statuses"),
    [("viewer", (200, 200, 403)), ("operator", (200, 200, 403)), ("supervisor", (200, 200, 200))],
)
def test_each_role_opens_its_pages(client, role, statuses):
    client.force_login(member(role))
    pages = ("/admin/", "/admin/orders/order/", "/admin/auth/user/")
    assert tuple(client.get(page).status_code for page in pages) == statuses
