"""Rows of every table that the console shows, with markup in every text that can hold one."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, User
from django.db import models

from consumers.models import RejectedMessage
from orders.models import ApiToken, AuditEntry, Halt, Order, OrderEvent
from routing.models import BulkAction, BulkActionOrder, OrderRoute, RouteApproval
from routing.operations import Operation
from tests.book_rows import CREATED_AT

# Leaves any text, attribute or tag it stands in. Short enough for the shortest column.
MARKUP = """'"><a onload=h>"""


def texts(model: type[models.Model], *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Markup for each column of text that is free, and in keys and values of each that is JSON."""
    found: dict[str, Any] = {}
    for field in model._meta.fields:
        if field.choices or field.name in but:
            continue
        kind = field.get_internal_type()
        if kind in {"CharField", "TextField"}:
            assert not field.max_length or len(MARKUP) <= field.max_length
            found[field.name] = MARKUP
        elif kind == "JSONField":
            found[field.name] = {MARKUP: MARKUP, "reason": MARKUP, "x-idempotency-token": MARKUP}
    return found


def plant() -> list[models.Model]:
    """One row of each model of the console, in its database."""
    now = datetime.now(UTC)
    order = Order.objects.create(
        **{**texts(Order), "extra": f'{{"{MARKUP.replace(chr(34), "")}": 1}}'},
        side="BUY",
        quantity=1,
        price=1,
        created_at=CREATED_AT,
        digest=bytes(32),
        status="ROUTED",
        routed_at=CREATED_AT,
        needs_review=True,
    )
    OrderEvent.objects.create(order=order, sequence=1, event="PLACED", **texts(OrderEvent))
    OrderRoute.objects.create(order=order, id=uuid4(), attempt=1, outcome="ACCEPTED", **texts(OrderRoute))
    user = User.objects.create(is_staff=True, **texts(User, but=("password",)))
    asked = {"order": order, "notional": 1, "expires_at": now, "requester": user}
    action = BulkAction.objects.create(
        operation=Operation.ROUTE, user=user, decided_at=now, **texts(BulkAction)
    )
    BulkActionOrder.objects.create(action=action, order=order, effect="REFUSED", **texts(BulkActionOrder))
    return [
        order,
        action,
        RouteApproval.objects.create(**asked, **texts(RouteApproval, but=("decided_by",))),
        RouteApproval.objects.create(decision="DECLINED", decided_at=now, **asked, **texts(RouteApproval)),
        RejectedMessage.objects.create(
            body=MARKUP.encode(), body_hash=bytes(32), reason="UNREADABLE", **texts(RejectedMessage)
        ),
        Halt.objects.create(lifted_at=now, **texts(Halt, but=("counterparty",))),
        Halt.objects.create(lifted_at=now, **texts(Halt, but=("symbol",))),
        AuditEntry.objects.create(**texts(AuditEntry)),
        ApiToken.objects.create(
            digest=bytes(32), scopes=["read"], expires_at=now, revoked_at=now, owner=user, **texts(ApiToken)
        ),
        user,
        Group.objects.create(**texts(Group)),
    ]


class Page(HTMLParser):
    """What a browser would run of a page: `scripts` that stand in it, `handlers`, `evaluated` attributes, `links`."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.evaluated: list[str] = []
        self.links: list[str] = []
        self._in_script = False
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        data = given.get("type", "") in {"application/json", "text/template"}
        self._in_script = tag == "script" and not data and "src" not in given
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(f"{tag} {name}={value}")
            elif name.startswith(("x-", "@", ":", "hx-")):
                self.evaluated.append(value or "")
            elif name in {"href", "src", "action", "formaction"}:
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.scripts.append(data.strip())
