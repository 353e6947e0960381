"""The order API: parse, call one function of the domain, present."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orders import book, documents, schema, selectors, tracing
from orders.api import openapi, throttles
from orders.api.bodies import json_body
from orders.api.idempotency import repeatable
from orders.api.open_views import SometimesOpen
from orders.api.pages import OrderPages
from orders.api.problems import no_such_order, problem
from orders.api.serializers import SHOWN, OrderEventSerializer, OrderFilter, OrderSerializer
from orders.book import Entry
from orders.lifecycle import Status
from orders.models import Order, OrderEvent
from orders.scopes import Scope

JSON = "application/json"
T = TypeVar("T")


@method_decorator(never_cache, "dispatch")
class OrderStatusView(SometimesOpen):
    """What has become of one order; open to all as the runbook's bare curl expects, unless configured otherwise."""

    scopes: ClassVar = {"GET": Scope.READ}

    def is_open(self) -> bool:
        return settings.CONFIG.api.anonymous_reads and "view" not in self.request.GET

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "view", enum=["full"], description="the richer form, as in the list; needs `read`"
            )
        ],
        responses={
            200: openapi.order_status("The order"),
            404: openapi.problem("No such order"),
            **openapi.REFUSALS,
        },
    )
    def get(self, request: Request, order_id: str) -> HttpResponseBase:
        view = request.query_params.get("view")
        if view not in (None, "full"):
            raise ValidationError({"view": [f"expected full, got {view!r}"]})
        if view == "full":
            return Response(OrderSerializer(_found(Order.objects.filter(pk=order_id).first(), order_id)).data)
        missed = getattr(request, "status_missed", False)  # by the short way, see quick_status.py
        document = _found(selectors.api_document(order_id, missed=missed), order_id)
        return HttpResponse(document, content_type=JSON)


class OrdersView(ListAPIView[Order]):
    """The list, and creation of single orders by hand."""

    # Columns that are shown, and no model for each row: that is most of what a page costs.
    queryset: Any = Order.objects.values_list(*SHOWN, named=True)
    serializer_class = OrderSerializer
    pagination_class = OrderPages
    scopes: ClassVar = {"GET": Scope.READ, "POST": Scope.CREATE}

    def __init__(self, **initkwargs: Any) -> None:
        super().__init__(**initkwargs)
        if not settings.CONFIG.api.allow_create:
            # Neither answered nor in the OpenAPI document.
            self.http_method_names = ["get", "head", "options"]

    def filter_queryset(self, queryset: Any) -> Any:
        chosen = OrderFilter(data=self.request.query_params.dict())
        chosen.is_valid(raise_exception=True)
        return queryset.filter(**chosen.validated_data)

    @extend_schema(
        parameters=[OrderFilter],
        responses={
            200: OrderSerializer(many=True),
            **openapi.LIST_REFUSALS,
        },
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Orders, newest first, a page at a time."""
        return self.list(request, *args, **kwargs)

    @repeatable
    @extend_schema(
        request=openapi.NEW_ORDER,
        responses={
            201: openapi.order_status("Written; a consumer routes it"),
            200: openapi.order_status("This very order is in the book already"),
            400: openapi.problem("Not a valid order: which field, what it holds, what was expected"),
            409: openapi.problem("Another order of this id is in the book"),
            413: openapi.problem("Larger than any order may be"),
            **openapi.REFUSALS,
        },
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Create an order by hand; idempotent by orderId, with or without a key."""
        throttles.count_creation()
        try:
            order = schema.decode(json_body(request), JSON, datetime.now(UTC))
        except schema.InvalidOrder as error:
            return _refusal(error)
        entry = book.enter(
            order,
            message_id=f"api:{uuid.uuid4()}",
            actor=request.user.get_username(),
            traceparent=tracing.followed(request.headers.get("traceparent")),
        )
        return _entered(order, entry)


class OrderEventsView(GenericAPIView[OrderEvent]):
    """All that has happened to one order, first to last."""

    queryset = OrderEvent.objects.all()
    serializer_class = OrderEventSerializer
    scopes: ClassVar = {"GET": Scope.READ}

    @extend_schema(
        responses={
            200: OrderEventSerializer(many=True),
            404: openapi.problem("No such order"),
            **openapi.REFUSALS,
        }
    )
    def get(self, request: Request, order_id: str) -> Response:
        del request
        events = self.get_queryset().filter(order_id=order_id).order_by("sequence")
        found = self.get_serializer(events, many=True).data
        if not found:
            raise no_such_order(order_id)
        return Response(found)


def _found(what: T | None, order_id: str) -> T:
    if what is None:
        raise no_such_order(order_id)
    return what


def _refusal(error: schema.InvalidOrder) -> HttpResponse:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if error.reason == "TOO_LARGE" else HTTPStatus.BAD_REQUEST
    return problem(status, str(error), field=error.path, reason=error.reason)


def _entered(order: schema.ValidatedOrder, entry: Entry) -> HttpResponse:
    match entry:
        case Entry.CREATED:
            document = documents.api_document(order, status=Status.PLACED, route=None, routed_at=None)
            location = {"Location": reverse("order", args=[order.order_id])}
            return HttpResponse(document, status=HTTPStatus.CREATED, content_type=JSON, headers=location)
        case Entry.KNOWN:
            return HttpResponse(selectors.api_document(order.order_id), content_type=JSON)
        case Entry.CONFLICT:
            return problem(
                HTTPStatus.CONFLICT,
                f"An order {order.order_id} with other content is in the book already.",
                field="orderId",
            )
