"""`manage.py order_status ORDER_ID`: what SQL, the cache and the router know of an order, side by side."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar

import msgspec
from django.conf import settings
from django.core.management.base import CommandError
from rest_framework import serializers
from rich.table import Table

from orders.api.exact_json import Time
from orders.api.serializers import OrderEventSerializer, OrderSerializer
from orders.management.arguments import order_id
from orders.management.runbook import RunbookCommand, cell
from orders.models import AuditEntry, Halt, Order
from routing.api.views import RouteDiagnosisSerializer
from routing.dossier import Dossier, dossier


class _OrderRow(OrderSerializer):
    """With what operators look for beyond the API's view of an order."""

    placed_at = Time()
    due_at = Time()
    claimed_until = Time()

    class Meta(OrderSerializer.Meta):
        only_here: ClassVar = ["message_id", "attempts", "placed_at", "due_at", "claimed_until"]
        fields: ClassVar = [*OrderSerializer.Meta.fields, *only_here]
        read_only_fields = fields

    def to_representation(self, instance: Order) -> dict[str, Any]:
        here = {name: self.fields[name] for name in self.Meta.only_here}
        values = {name: getattr(instance, name) for name in here}
        return super().to_representation(instance) | {
            name: value if value is None else here[name].to_representation(value)
            for name, value in values.items()
        }


class _HaltRow(serializers.ModelSerializer[Halt]):
    since = Time()
    until = Time()

    class Meta:
        model = Halt
        fields: ClassVar = ["id", "symbol", "counterparty", "reason", "actor", "since", "until"]
        read_only_fields = fields


class _AuditRow(serializers.ModelSerializer[AuditEntry]):
    at = Time()

    class Meta:
        model = AuditEntry
        fields: ClassVar = ["at", "actor", "action", "detail"]
        read_only_fields = fields


class Command(RunbookCommand):
    help = "Show an order as SQL and the cache have it, its routes and its events. Exit 1 if there is none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("order_id", type=order_id)

    def handle(self, *, order_id: str, **options: Any) -> None:
        found = dossier(order_id)
        if options["json"]:
            self.show_json(_as_json(found))
        elif found.order:
            self._tell(found, found.order)
        if found.cache_failure:
            self.stderr.write(f"The cache could not be asked: {found.cache_failure}")
        if found.order is None:
            cached = f" The cache holds one: clear_idempotency {order_id} removes it." if found.cached else ""
            raise CommandError(f"There is no order {order_id} in SQL.{cached}")

    def _tell(self, found: Dossier, order: Order) -> None:
        self.show(self._order(found, order))
        self.show_beside(
            self._rows("Halts that keep it from being routed", _HaltRow(found.halts, many=True).data),
            self._rows("Routes", RouteDiagnosisSerializer(found.routes, many=True).data),
            self._rows("Events", OrderEventSerializer(found.events, many=True).data),
            self._rows("Audit", _AuditRow(found.audit, many=True).data),
        )

    def _order(self, found: Dossier, order: Order) -> Table:
        """The order's fields, first those that the cache has as well."""
        row = _OrderRow(order).data
        table = self.table("Field", "SQL", f"Cache ({settings.CONFIG.cache_store})", "")
        compared = {field.name for field in found.comparison}
        for field in found.comparison:
            mark = ("differs", "bold red") if field.differs else ("", None)
            table.add_row(field.name, cell(field.book), cell(field.cache), mark[0], style=mark[1])
        for name, value in row.items():
            if name not in compared:
                table.add_row(name, cell(_plain(value)), "", "")
        table.add_row("written to the cache", "", cell(found.cached_at), "")
        return table

    def _rows(self, title: str, rows: Any) -> Table | None:
        """`rows` as a serializer has them, in such columns as any of them has something in."""
        names = [
            name for name in (rows[0] if rows else []) if any(row[name] not in (None, "") for row in rows)
        ]
        table = self.table(*(name.replace("_", " ") for name in names), title=title)
        for row in rows:
            table.add_row(*(cell(row[name]) for name in names))
        return table if rows else None


def _plain(value: Any) -> Any:
    """A number kept to the letter, as text."""
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else value


def _as_json(found: Dossier) -> dict[str, Any]:
    return {
        "order": _OrderRow(found.order).data if found.order else None,
        "cache": {
            "store": settings.CONFIG.cache_store,
            "failure": found.cache_failure,
            "record": found.cached,
            "differences": [
                {"field": field.name, "sql": field.book, "cache": field.cache}
                for field in found.comparison
                if field.differs
            ],
        },
        "halts": _HaltRow(found.halts, many=True).data,
        "routes": RouteDiagnosisSerializer(found.routes, many=True).data,
        "events": OrderEventSerializer(found.events, many=True).data,
        "audit": _AuditRow(found.audit, many=True).data,
    }
