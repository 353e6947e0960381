"""The audit of routing, to be read."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api import openapi
from orders.api.exact_json import Time
from orders.models import Order
from orders.scopes import Scope
from routing.models import OrderRoute


class OrderRouteSerializer(serializers.ModelSerializer[OrderRoute]):
    decided_at = Time()
    published_at = Time()

    class Meta:
        model = OrderRoute
        fields: ClassVar = [
            "attempt",
            "outcome",
            "route",
            "endpoint",
            "http_status",
            "latency_ms",
            "error",
            "decided_by",
            "reason",
            "decided_at",
            "published_at",
        ]
        read_only_fields = fields


class OrderRoutesView(GenericAPIView[OrderRoute]):
    """Every attempt and decision to route one order, first to last."""

    queryset = OrderRoute.objects.all()
    serializer_class = OrderRouteSerializer
    scopes: ClassVar = {"GET": Scope.READ}

    @extend_schema(
        responses={
            200: OrderRouteSerializer(many=True),
            404: openapi.problem("No such order"),
            **openapi.REFUSALS,
        }
    )
    def get(self, request: Request, order_id: str) -> Response:
        del request
        if not Order.objects.filter(pk=order_id).exists():
            raise NotFound(f"There is no order {order_id}.")
        routes = self.get_queryset().filter(order_id=order_id).order_by("attempt")
        return Response(self.get_serializer(routes, many=True).data)
