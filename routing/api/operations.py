"""What people, and downstream, do with an order: parse, call one function of the domain, present."""

from __future__ import annotations

import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar, cast

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.views import APIView

from orders import documents
from orders.api import openapi
from orders.api.bodies import fields_of
from orders.api.exact_json import document
from orders.api.idempotency import repeatable
from orders.api.problems import no_such_order, problem
from orders.api.serializers import OrderSerializer
from orders.api.strict import NameField, Reason, StrictSerializer
from orders.models import Order
from orders.scopes import Caller, Scope
from routing.api.approvals import ApprovalSerializer
from routing.operations import Operation, Refused
from routing.performing import PERMISSIONS, may, perform

F = TypeVar("F", bound=Callable[..., Any])


class NewRoute(Reason):
    route = NameField(max_length=255, help_text="the venue")


class Remark(StrictSerializer):
    reason = serializers.RegexField(
        r"^[^\x00]*$", max_length=1000, required=False, allow_blank=True, trim_whitespace=False
    )


def described(body: Any, responses: dict[int, Any]) -> Callable[[F], F]:
    refusals = {
        400: openapi.problem("Not what was expected: which field, and what was"),
        404: openapi.problem("No such order"),
        409: openapi.problem(
            "It cannot be done to the order as it is: why. While the machine routes it, `claimed_until` and "
            "`Retry-After` say until when at the latest"
        ),
        **openapi.REFUSALS,
    }
    return extend_schema(request=body, responses={**responses, **refusals})


class OperationView(APIView):
    """Each kind says what it does to an order, and what a request for it says."""

    scopes: ClassVar = {"POST": Scope.OPERATE}
    operation: ClassVar[Operation]
    body: ClassVar[type[StrictSerializer]] = Reason
    is_body_optional: ClassVar = False

    def perform(self, request: Request, order_id: str) -> HttpResponse:
        if not may(request.user, self.operation):
            raise PermissionDenied(f"Users need the permission {PERMISSIONS[self.operation]} for this.")
        absent = self.is_body_optional and _has_no_body(request)
        said = self.body(data={} if absent else fields_of(request))
        said.is_valid(raise_exception=True)
        try:
            return self._done(request, order_id, said.validated_data)
        except Refused as refusal:
            return refused(refusal)
        except Order.DoesNotExist:
            raise no_such_order(order_id) from None

    def _done(self, request: Request, order_id: str, said: dict[str, Any]) -> HttpResponse:
        user = cast("User | Caller", request.user)  # else the scope would have been missing
        done = perform(self.operation, order_id, user=user, **said)
        if done.approval:
            location = reverse("approval", args=[done.approval.pk])
            return document(
                ApprovalSerializer(done.approval).data, HTTPStatus.ACCEPTED, headers={"Location": location}
            )
        return document(OrderSerializer(Order.objects.get(pk=order_id)).data)


class RouteView(OperationView):
    operation = Operation.ROUTE
    body = NewRoute

    @repeatable
    @described(
        NewRoute,
        {
            200: OrderSerializer,
            202: OpenApiResponse(
                ApprovalSerializer,
                description="It takes a second person: `Location` says where their decision will stand",
            ),
        },
    )
    def post(self, request: Request, order_id: str) -> HttpResponse:
        """Send an order to a venue."""
        return self.perform(request, order_id)


class RetryView(OperationView):
    operation = Operation.RETRY

    @repeatable
    @described(Reason, {200: OrderSerializer})
    def post(self, request: Request, order_id: str) -> HttpResponse:
        """Have a parked order routed by the machine at once."""
        return self.perform(request, order_id)


class CancelView(OperationView):
    operation = Operation.CANCEL

    @repeatable
    @described(Reason, {200: OrderSerializer})
    def post(self, request: Request, order_id: str) -> HttpResponse:
        """Cancel an order that is not executed. One that is canceled stays as it is."""
        return self.perform(request, order_id)


class ExecutionView(OperationView):
    operation = Operation.EXECUTE
    body = Remark
    is_body_optional = True

    @repeatable
    @described(Remark, {200: OrderSerializer})
    def post(self, request: Request, order_id: str) -> HttpResponse:
        """Say that a routed order is executed. One of which that is known stays as it is."""
        return self.perform(request, order_id)


class ClearReviewView(OperationView):
    operation = Operation.CLEAR_REVIEW

    @repeatable
    @described(Reason, {200: OrderSerializer})
    def post(self, request: Request, order_id: str) -> HttpResponse:
        """Say that a person has looked; a parked order is due again."""
        return self.perform(request, order_id)


def refused(refusal: Refused) -> HttpResponse:
    """409, with the end of the claim that is in the way, if one is."""
    if refusal.claimed_until is None:
        return problem(HTTPStatus.CONFLICT, f"{refusal}.")
    until = documents.time_text(refusal.claimed_until)
    answer = problem(HTTPStatus.CONFLICT, f"{refusal}.", claimed_until=until)
    seconds = (refusal.claimed_until - timezone.now()).total_seconds()
    answer["Retry-After"] = str(max(1, math.ceil(seconds)))
    return answer


def _has_no_body(request: Request) -> bool:
    return "Transfer-Encoding" not in request.headers and int(request.headers.get("Content-Length") or 0) == 0
