"""The page of one action on orders: what it would do, then how far it is, then what became of each order."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from orders.admin import amounts
from orders.models import Order
from routing import bulk
from routing.console.forms import ReasonForm, form_of, late_venues
from routing.console.own_page import OwnPageAdmin
from routing.models import BulkAction, BulkActionOrder
from routing.operations import Operation, Refused
from routing.performing import may

_ROWS = 200
Effect = BulkActionOrder.Effect
_VERBS = {
    Operation.ROUTE: "Route",
    Operation.RETRY: "Retry",
    Operation.CANCEL: "Cancel",
    Operation.EXECUTE: "Report as executed:",
    Operation.CLEAR_REVIEW: "Clear the review mark of",
}
_FORESEEN = {
    Effect.REFUSED: "will be refused",
    Effect.ASKED: "will wait for a second person",
    Effect.UNCHANGED: "will stay as they are",
    Effect.DONE: "will be done",
}
_BECAME = {
    Effect.REFUSED: "refused",
    Effect.ASKED: "waiting for a second person",
    Effect.UNCHANGED: "unchanged",
    Effect.DONE: "done",
}


@admin.register(BulkAction)
class BulkActionAdmin(OwnPageAdmin):
    list_display = ("proposed_at", "operation", "user", "route", "reason", "decided_at")
    list_select_related = ("user",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """What was decided; of what was not, one's own."""
        decided = super().get_queryset(request)
        return decided.exclude(decided_at=None) | decided.filter(user=request.user.pk)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<uuid:action_id>/decide/", self._view(self.decide), name="routing_bulkaction_decide"),
            path("<uuid:action_id>/go-on/", self._view(self.go_on), name="routing_bulkaction_go_on"),
        ]
        return own + super().get_urls()

    def _view(self, view: Any) -> Any:
        return self.admin_site.admin_view(require_POST(view))

    def page_of(self, request: HttpRequest, obj: BulkAction) -> HttpResponse:
        if obj.decided_at is None:
            return self._ask(request, obj, form_of(Operation(obj.operation)))
        return self._tell(request, obj)

    def decide(self, request: HttpRequest, action_id: UUID) -> HttpResponse:
        """Take the person's decision, and do the first piece."""
        action, user = self._own(request, action_id)
        form = form_of(Operation(action.operation), request.POST)
        if form.is_valid():
            try:
                bulk.decide(action_id, user=user, **form.cleaned_data)
            except Refused as refusal:
                form.add_error(None, f"Nothing was done: {refusal}.")
        if not form.is_valid():
            return self._ask(request, action, form)
        action.refresh_from_db()
        bulk.go_on(action)
        return self._back(action)

    def go_on(self, request: HttpRequest, action_id: UUID) -> HttpResponse:
        """Do the next piece; the page's script wants the figures alone."""
        action, _ = self._own(request, action_id)
        if action.decided_at is None:
            raise PermissionDenied
        bulk.go_on(action)
        if request.headers.get("Accept") != "application/json":
            return self._back(action)
        counts = bulk.progress(action)
        return JsonResponse({"left": counts[None], "summary": _summary(counts, _BECAME)})

    def _own(self, request: HttpRequest, action_id: UUID) -> tuple[BulkAction, User]:
        """Whoever proposed it goes on with it, as long as they may."""
        action = BulkAction.objects.select_related("user").filter(pk=action_id, user=request.user.pk).first()
        if action is None or not may(action.user, Operation(action.operation)):
            raise PermissionDenied
        return action, action.user

    def _back(self, action: BulkAction) -> HttpResponseRedirect:
        return redirect("admin:routing_bulkaction_change", action.pk)

    def _ask(self, request: HttpRequest, action: BulkAction, form: ReasonForm) -> TemplateResponse:
        foreseen = bulk.foreseen(action)
        counts = Counter(each.effect for each in foreseen)
        page = _page(request, foreseen)
        acting = counts[Effect.DONE] + counts[Effect.ASKED]
        return self._page(
            request,
            action,
            page,
            "propose",
            rows=[_row(each.order, each.effect, each.why or _FORESEEN[each.effect]) for each in page],
            form=form,
            venues=late_venues() if action.operation == Operation.ROUTE else [],
            summary=_summary(counts, _FORESEEN),
            acting=acting,
            button=f"{_VERBS[Operation(action.operation)]} {acting:,} order{'' if acting == 1 else 's'}",
        )

    def _tell(self, request: HttpRequest, action: BulkAction) -> TemplateResponse:
        counts = bulk.progress(action)
        page = _page(request, bulk.results(action))
        return self._page(
            request,
            action,
            page,
            "results",
            rows=[_row(each.order, each.effect, each.said) for each in page],
            summary=_summary(counts, _BECAME),
            total=counts.total(),
            done=counts.total() - counts[None],
            left=counts[None],
            is_own=action.user_id == request.user.pk,
        )

    def _page(
        self, request: HttpRequest, action: BulkAction, page: Page[Any], kind: str, **context: Any
    ) -> TemplateResponse:
        common = {
            **self.admin_site.each_context(request),
            "title": f"{Operation(action.operation).label}: {page.paginator.count:,} "
            f"order{'' if page.paginator.count == 1 else 's'}",
            "opts": self.opts,
            "action": action,
            "page": page,
        }
        return TemplateResponse(request, f"routing/{kind}.html", common | context)


def _page(request: HttpRequest, rows: Any) -> Page[Any]:
    return Paginator(rows, _ROWS).get_page(request.GET.get("p"))


def _summary(counts: Counter[Any], words: dict[Effect, str]) -> str:
    """3 refused, 197 done."""
    said = [f"{counts[effect]:,} {words[effect]}" for effect in Effect if counts[effect]]
    return ", ".join([*said, *([f"{counts[None]:,} still to be done"] if counts[None] else [])])


def _row(order: Order, effect: str | None, said: str) -> dict[str, Any]:
    return {
        "order": order,
        "quantity": amounts.quantity(order.quantity),
        "price": amounts.price(order.price),
        "effect": effect,
        "said": said or "not yet",
    }
