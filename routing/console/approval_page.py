"""The pages of routes that wait for a second person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from orders.admin import amounts
from orders.admin.filters import WaitingFilter
from orders.lifecycle import in_words
from routing import approvals
from routing.console.forms import ApprovalForm
from routing.console.own_page import OwnPageAdmin
from routing.models import RouteApproval
from routing.operations import Refused

_MOST_COUNTED = 100


class ApprovalFilter(WaitingFilter):
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        del request, model_admin
        return [("all", "All, the decided ones too")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RouteApproval]) -> QuerySet[RouteApproval]:
        del request
        return queryset if self.value() else approvals.waiting(queryset)


@admin.register(RouteApproval)
class RouteApprovalAdmin(OwnPageAdmin):
    list_display = ("order_id", "route", "exact_notional", "requested_by", "requested_at", "until", "state")
    list_filter = (ApprovalFilter,)
    search_fields = ("order__order_id__startswith",)
    search_help_text = "The beginning of an order id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RouteApproval]:
        return approvals.with_ends(super().get_queryset(request))

    @admin.display(description="notional")
    def exact_notional(self, approval: RouteApproval) -> str:
        return amounts.price(approval.notional)

    @admin.display(description="waits until")
    def until(self, approval: RouteApproval) -> Any:
        return approval.expires_at

    @admin.display(description="state")
    def state(self, approval: RouteApproval) -> str:
        return str(approvals.state(approval).label)

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(require_POST(self.decide))
        own = path("<uuid:approval_id>/decide/", decide, name="routing_routeapproval_decide")
        return [own, *super().get_urls()]

    def page_of(self, request: HttpRequest, obj: RouteApproval) -> HttpResponse:
        return self._show(request, obj, ApprovalForm())

    def decide(self, request: HttpRequest, approval_id: UUID) -> HttpResponse:
        """Approve or decline, as the button says."""
        approval = self.get_object(request, str(approval_id))
        if approval is None:
            raise Http404
        form = ApprovalForm(request.POST)
        if form.is_valid():
            try:
                self._decide(request, approval, form.cleaned_data["remark"])
            except Refused as refusal:
                form.add_error(None, f"Nothing was done: {refusal}.")
            else:
                return redirect("admin:routing_routeapproval_changelist")
        return self._show(request, approval, form)

    def _decide(self, request: HttpRequest, approval: RouteApproval, remark: str) -> None:
        user = request.user
        assert isinstance(user, User)  # noqa: S101 - the console lets nobody else in
        if request.POST.get("decision") == "approve":
            _require(_may_decide(request))
            approvals.approve(approval.pk, approver=user, remark=remark)
            self.message_user(
                request, f"{approval.order_id} is routed to {approval.route}.", messages.SUCCESS
            )
        else:
            _require(_may_decide(request) or _is_own(request, approval))
            approvals.decline(approval.pk, decider=user, remark=remark)
            self.message_user(
                request, f"{approval.order_id} is not routed to {approval.route}.", messages.SUCCESS
            )

    def _show(self, request: HttpRequest, approval: RouteApproval, form: ApprovalForm) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Route of {approval.order_id}",
            "opts": self.opts,
            "approval": approval,
            "notional": amounts.price(approval.notional),
            "state": approvals.state(approval),
            "state_in_words": self.state(approval),
            "status": in_words(approval.order.status),
            "quantity": amounts.quantity(approval.order.quantity),
            "price": amounts.price(approval.order.price),
            "form": form,
            "may_approve": _may_decide(request) and not _is_own(request, approval),
            "may_decline": _may_decide(request) or _is_own(request, approval),
        }
        return TemplateResponse(request, "routing/approval.html", context)


def badge(request: HttpRequest) -> str:
    """How many wait, for the navigation."""
    del request
    waiting = approvals.waiting()[:_MOST_COUNTED].count()
    return f"{waiting}" if waiting < _MOST_COUNTED else f"{_MOST_COUNTED}+"


def _may_decide(request: HttpRequest) -> bool:
    return request.user.has_perm(approvals.PERMISSION)


def _is_own(request: HttpRequest, approval: RouteApproval) -> bool:
    return request.user.pk == approval.requester_id


def _require(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied
