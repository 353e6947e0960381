"""The frame of the console: name, colours, navigation (django-unfold's settings)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

_BLUE = {
    "50": "#eff6ff",
    "100": "#dbeafe",
    "200": "#bfdbfe",
    "300": "#93c5fd",
    "400": "#60a5fa",
    "500": "#3b82f6",
    "600": "#2563eb",
    "700": "#1d4ed8",
    "800": "#1e40af",
    "900": "#1e3a8a",
    "950": "#172554",
}


def _item(title: str, icon: str, page: str, permission: str | None, query: str = "") -> dict[str, Any]:
    """A line of the navigation for those who have `permission`; lit on that page with just that query."""
    path, wanted = _reversed(page), dict([query.split("=")]) if query else {}

    def is_active(request: HttpRequest) -> bool:
        at_home = page == "index"
        here = request.path == path(request) if at_home else request.path.startswith(path(request))
        return here and (_chosen(request) == wanted)

    return {
        "title": title,
        "icon": icon,
        "link": lambda request: path(request) + (f"?{query}" if query else ""),
        "active": is_active,
        "permission": lambda request: permission is None or request.user.has_perm(permission),
    }


def _reversed(page: str) -> Callable[[HttpRequest], str]:
    return lambda _: reverse(f"admin:{page}")


def _chosen(request: HttpRequest) -> dict[str, str]:
    """Which of the lists of orders that stand in the navigation is shown."""
    return {
        name: request.GET[name] for name in ("needs_review__exact", "status__exact") if name in request.GET
    }


FRAME: dict[str, Any] = {
    "SITE_TITLE": "order-entry",
    "SITE_HEADER": "order-entry",
    "SITE_SYMBOL": "conversion_path",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("console/icon.svg")},
    ],
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": _BLUE},
    "LOGIN": {"form": "order_entry_project.console.login_form.LoginForm"},
    "STYLES": [lambda _: static("console/console.css"), lambda _: static("console/lists.css")],
    "DASHBOARD_CALLBACK": "order_entry_project.console.home.context",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    _item("Home", "home", "index", None),
                    _item("Orders", "list_alt", "orders_order_changelist", "orders.view_order"),
                    _item(
                        "In review",
                        "person_alert",
                        "orders_order_changelist",
                        "orders.view_order",
                        "needs_review__exact=1",
                    ),
                    _item(
                        "Pending",
                        "hourglass_top",
                        "orders_order_changelist",
                        "orders.view_order",
                        "status__exact=PENDING_ROUTE",
                    ),
                    _item(
                        "Rejected messages",
                        "block",
                        "consumers_rejectedmessage_changelist",
                        "consumers.view_rejectedmessage",
                    ),
                    _item("Halts", "front_hand", "orders_halt_changelist", "orders.view_halt"),
                    _item(
                        "Waiting for approval",
                        "approval_delegation",
                        "routing_routeapproval_changelist",
                        "orders.view_order",
                    )
                    | {"badge": "routing.console.approval_page.badge", "badge_variant": "info"},
                ],
            },
            {
                "separator": True,
                "items": [
                    _item(
                        "Actions on orders",
                        "checklist",
                        "routing_bulkaction_changelist",
                        "orders.view_order",
                    ),
                    _item("Audit", "history", "orders_auditentry_changelist", "orders.view_auditentry"),
                    _item("Users", "group", "auth_user_changelist", "auth.view_user"),
                    _item("API tokens", "key", "orders_apitoken_changelist", "orders.view_apitoken"),
                ],
            },
        ],
    },
}
