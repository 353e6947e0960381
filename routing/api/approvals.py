"""Routes that wait for a second person: which there are, and their decision."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders import documents
from orders.api import openapi
from orders.api.bodies import fields_of
from orders.api.exact_json import ExactNumber, Time, document
from orders.api.idempotency import repeatable
from orders.api.pages import Pages, is_time
from orders.api.problems import problem
from orders.api.strict import Reason
from orders.scopes import Scope
from routing import approvals
from routing.models import RouteApproval
from routing.operations import Refused

Decide = Callable[[UUID, User, str], RouteApproval]


class ApprovalSerializer(serializers.ModelSerializer[RouteApproval]):
    orderId = serializers.CharField(source="order_id", read_only=True)  # noqa: N815 - the spec's name
    state = serializers.SerializerMethodField()
    notional = ExactNumber(documents.price_text)
    requested_at = Time()
    expires_at = Time()
    decided_at = Time(allow_null=True)

    class Meta:
        model = RouteApproval
        fields: ClassVar = [
            "id",
            "orderId",
            "state",
            "route",
            "reason",
            "notional",
            "requested_by",
            "requested_at",
            "expires_at",
            "decided_by",
            "decided_at",
            "remark",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": approvals.State.values})
    def get_state(self, approval: RouteApproval) -> str:
        return approvals.state(approval).value


class ApprovalPages(Pages):
    ordering = ("-requested_at", "id")

    def is_position(self, text: str) -> bool:
        return is_time(text)


class ApprovalsView(ListAPIView[RouteApproval]):
    queryset = RouteApproval.objects.all()
    serializer_class = ApprovalSerializer
    pagination_class = ApprovalPages
    scopes: ClassVar = {"GET": Scope.READ}

    def filter_queryset(self, queryset: Any) -> Any:
        del queryset
        return approvals.with_ends(approvals.waiting())

    @extend_schema(
        responses={
            200: ApprovalSerializer(many=True),
            **openapi.LIST_REFUSALS,
        }
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Routes that wait for a second person, newest first."""
        return self.list(request, *args, **kwargs)


class ApprovalView(APIView):
    scopes: ClassVar = {"GET": Scope.READ}

    @extend_schema(
        responses={
            200: ApprovalSerializer,
            404: openapi.problem("No such approval"),
            **openapi.REFUSALS,
        }
    )
    def get(self, request: Request, approval_id: UUID) -> Response:
        """What has become of one."""
        del request
        return Response(_shown(approval_id))


_DECISION = {
    200: ApprovalSerializer,
    400: openapi.problem("Why is not said"),
    404: openapi.problem("No such approval"),
    409: openapi.problem("There is nothing left to decide, or not for this person: why"),
    **openapi.REFUSALS,
}


class DecisionView(APIView):
    """Takes a person: neither a token nor a certificate is one."""

    scopes: ClassVar = {"POST": Scope.READ}

    def decide(self, request: Request, approval_id: UUID, decide: Decide) -> HttpResponse:
        person = _person(request)
        said = Reason(data=fields_of(request))
        said.is_valid(raise_exception=True)
        try:
            decide(approval_id, person, said.validated_data["reason"])
        except RouteApproval.DoesNotExist:
            raise _no_such(approval_id) from None
        except Refused as refusal:
            return problem(HTTPStatus.CONFLICT, f"{refusal}.")
        return document(_shown(approval_id))


class ApproveView(DecisionView):
    @repeatable
    @extend_schema(request=Reason, responses=_DECISION)
    def post(self, request: Request, approval_id: UUID) -> HttpResponse:
        """Route the order as was asked; not by whom it was asked. Takes a person, by name and password."""
        return self.decide(
            request, approval_id, lambda key, who, why: approvals.approve(key, approver=who, remark=why)
        )


class DeclineView(DecisionView):
    @repeatable
    @extend_schema(request=Reason, responses=_DECISION)
    def post(self, request: Request, approval_id: UUID) -> HttpResponse:
        """Have the order stay where it is. Takes a person, by name and password."""
        return self.decide(
            request, approval_id, lambda key, who, why: approvals.decline(key, decider=who, remark=why)
        )


def _person(request: Request) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied(
            "This takes a person, by name and password: neither a token nor a certificate."
        )
    if not request.user.has_perm(approvals.PERMISSION):
        raise PermissionDenied(f"Users need the permission {approvals.PERMISSION} for this.")
    return request.user


def _shown(approval_id: UUID) -> Any:
    approval = approvals.with_ends(RouteApproval.objects.filter(pk=approval_id)).first()
    if approval is None:
        raise _no_such(approval_id)
    return ApprovalSerializer(approval).data


def _no_such(approval_id: UUID) -> NotFound:
    return NotFound(f"There is no approval {approval_id}.")
