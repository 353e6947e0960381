"""Halts over the API: which there are, placing one, lifting one."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders import halts
from orders.api import openapi
from orders.api.bodies import fields_of
from orders.api.exact_json import Time, document
from orders.api.idempotency import repeatable
from orders.api.pages import Pages
from orders.api.problems import problem
from orders.api.strict import NameField, Reason, ReasonField, StrictSerializer
from orders.models import Halt
from orders.names import LONGEST_COUNTERPARTY, LONGEST_SYMBOL
from orders.scopes import Scope, may

_is_id = re.compile(r"[0-9]{1,18}").fullmatch
_IN_FORCE = {"true": True, "false": False}


class HaltSerializer(serializers.ModelSerializer[Halt]):
    since = Time()
    until = Time(allow_null=True)
    lifted_at = Time(allow_null=True)
    in_force = serializers.SerializerMethodField()

    class Meta:
        model = Halt
        fields: ClassVar = [
            "id",
            "symbol",
            "counterparty",
            "reason",
            "actor",
            "since",
            "until",
            "lifted_at",
            "lifted_by",
            "in_force",
        ]
        read_only_fields = fields

    @extend_schema_field(bool)
    def get_in_force(self, halt: Halt) -> bool:
        return halts.state(halt, timezone.now()) is halts.State.IN_FORCE


class NewHalt(StrictSerializer):
    """Neither symbol nor counterparty: everything."""

    symbol = NameField(max_length=LONGEST_SYMBOL, required=False, allow_null=True)
    counterparty = NameField(max_length=LONGEST_COUNTERPARTY, required=False, allow_null=True)
    reason = ReasonField()
    until = serializers.DateTimeField(required=False, allow_null=True, help_text="ends by itself then")


class HaltPages(Pages):
    ordering = "-id"

    def is_position(self, text: str) -> bool:
        return bool(_is_id(text))


class HaltsView(ListAPIView[Halt]):
    """Halts of routing, newest first; and placing one."""

    queryset = Halt.objects.all()
    serializer_class = HaltSerializer
    pagination_class = HaltPages
    scopes: ClassVar = {"GET": Scope.READ, "POST": Scope.OPERATE}

    def filter_queryset(self, queryset: Any) -> Any:
        wanted = self.request.query_params.get("in_force")
        if wanted is None:
            return queryset
        if wanted not in _IN_FORCE:
            raise ValidationError({"in_force": [f"{wanted!r} is neither true nor false"]})
        force = halts.in_force().values("pk")
        return queryset.filter(pk__in=force) if _IN_FORCE[wanted] else queryset.exclude(pk__in=force)

    @extend_schema(
        parameters=[OpenApiParameter("in_force", bool, description="only those in force, or only past ones")],
        responses={
            200: HaltSerializer(many=True),
            **openapi.LIST_REFUSALS,
        },
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Halts, newest first, a page at a time."""
        return self.list(request, *args, **kwargs)

    @repeatable
    @extend_schema(
        request=NewHalt,
        responses={
            201: HaltSerializer,
            400: openapi.problem("Not a halt: which field, and what was expected"),
            **openapi.REFUSALS,
        },
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Stop routing of a symbol, a counterparty or everything. What is being routed is not recalled."""
        _require_permission(request)
        asked = NewHalt(data=fields_of(request))
        asked.is_valid(raise_exception=True)
        try:
            halt = halts.halt(**asked.validated_data, actor=request.user.get_username())
        except halts.Refused as refusal:
            return problem(HTTPStatus.BAD_REQUEST, f"{refusal}.")
        return document(HaltSerializer(halt).data, HTTPStatus.CREATED)


class LiftView(APIView):
    """The end of a halt."""

    scopes: ClassVar = {"POST": Scope.OPERATE}

    @repeatable
    @extend_schema(
        request=Reason,
        responses={
            200: HaltSerializer,
            400: openapi.problem("Why is not said"),
            404: openapi.problem("No such halt"),
            409: openapi.problem("It is over, or lifted, already"),
            **openapi.REFUSALS,
        },
    )
    def post(self, request: Request, halt_id: int) -> HttpResponseBase:
        """Lift a halt: what waited for it is due at once."""
        _require_permission(request)
        asked = Reason(data=fields_of(request))
        asked.is_valid(raise_exception=True)
        lifted = halts.lift(halt_id, reason=asked.validated_data["reason"], actor=request.user.get_username())
        halt = Halt.objects.filter(pk=halt_id).first()
        if halt is None:
            raise NotFound(f"There is no halt {halt_id}.")
        if not lifted:
            return problem(HTTPStatus.CONFLICT, f"Halt {halt_id} is not in force any more.")
        return document(HaltSerializer(halt).data)


def _require_permission(request: Request) -> None:
    if not may(request.user, halts.PERMISSION):
        raise PermissionDenied(f"Users need the permission {halts.PERMISSION} for this.")
