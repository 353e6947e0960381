"""The audit of routing, to be read."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api import openapi
from orders.api.exact_json import Time
from orders.api.problems import no_such_order
from orders.models import Order
from orders.scopes import Scope, scopes_of
from routing.models import OrderRoute


class OrderRouteSerializer(serializers.ModelSerializer[OrderRoute]):
    decided_at = Time()
    published_at = Time(allow_null=True)

    class Meta:
        model = OrderRoute
        fields: ClassVar = [
            "attempt",
            "outcome",
            "route",
            "http_status",
            "latency_ms",
            "decided_by",
            "reason",
            "decided_at",
            "published_at",
        ]
        read_only_fields = fields


class RouteDiagnosisSerializer(OrderRouteSerializer):
    """With what names machines of this network."""

    class Meta(OrderRouteSerializer.Meta):
        fields: ClassVar = [*OrderRouteSerializer.Meta.fields, "endpoint", "error"]
        read_only_fields = fields


class OrderRoutesView(GenericAPIView[OrderRoute]):
    """Every attempt and decision to route one order, first to last; where the calls went, for those who operate."""

    queryset = OrderRoute.objects.all()
    scopes: ClassVar = {"GET": Scope.READ}

    def get_serializer_class(self) -> type[OrderRouteSerializer]:
        may_operate = Scope.OPERATE in scopes_of(self.request.user)
        return RouteDiagnosisSerializer if may_operate else OrderRouteSerializer

    @extend_schema(
        responses={
            200: RouteDiagnosisSerializer(many=True),
            404: openapi.problem("No such order"),
            **openapi.REFUSALS,
        }
    )
    def get(self, request: Request, order_id: str) -> Response:
        del request
        if not Order.objects.filter(pk=order_id).exists():
            raise no_such_order(order_id)
        routes = self.get_queryset().filter(order_id=order_id).order_by("attempt")
        return Response(self.get_serializer(routes, many=True).data)
