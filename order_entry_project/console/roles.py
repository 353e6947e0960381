"""Who may do what in the console and over the API: three groups, each with all that the one before it has.

After each `migrate` they have exactly the permissions named here. Whoever needs something else makes a group of
another name in the console.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.db.models import Q

_VIEWER = frozenset(
    {
        "consumers.view_rejectedmessage",
        "orders.view_auditentry",
        "orders.view_halt",
        "orders.view_order",
        "routing.view_bulkaction",
        "routing.view_routeapproval",
    }
)
_OPERATOR = _VIEWER | {
    "consumers.replay_rejectedmessage",
    "orders.add_order",
    "orders.export_order",
    "orders.repair_cache",
    "orders.route_order",
    "routing.cancel_order",
    "routing.retry_order",
    "routing.review_order",
}
_SUPERVISOR = _OPERATOR | {
    "auth.view_group",
    "auth.view_user",
    "consumers.discard_rejectedmessage",
    "orders.add_apitoken",
    "orders.halt_routing",
    "orders.revoke_apitoken",
    "orders.view_apitoken",
    "routing.approve_route",
    "routing.execute_order",
}
ROLES = {"viewer": _VIEWER, "operator": _OPERATOR, "supervisor": _SUPERVISOR}


def grant(sender: AppConfig, using: str, **_: Any) -> None:
    """Give each group that exists its permissions, as far as these exist yet (a receiver of `post_migrate`)."""
    del sender
    for label in sorted({permission.partition(".")[0] for permission in _SUPERVISOR}):
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    groups = apps.get_model("auth", "Group").objects.using(using)
    for group in groups.filter(name__in=ROLES):
        permissions = _permissions(ROLES[group.name], using)
        if group.permissions.exists():
            group.permissions.set(permissions)
        else:
            # New: nobody's rights change, and nothing is to be on record.
            given = group.permissions.through
            given.objects.using(using).bulk_create(
                [given(group_id=group.pk, permission_id=permission.pk) for permission in permissions]
            )


def _permissions(names: frozenset[str], using: str) -> Any:
    wanted = Q()
    for app, _, codename in (name.partition(".") for name in sorted(names)):
        wanted |= Q(content_type__app_label=app, codename=codename)
    return apps.get_model("auth", "Permission").objects.using(using).filter(wanted)
