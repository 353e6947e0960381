"""The console's pages of halts: what is halted and holds how many orders, placing one, lifting one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from orders import halts
from orders.admin.forms import ReasonForm
from orders.admin.read_only import ReadOnlyAdmin, Table
from orders.models import AuditEntry, Halt
from orders.names import LONGEST_COUNTERPARTY, LONGEST_SYMBOL

_LIST = "admin:orders_halt_changelist"
_SCOPES = [("everything", "Everything"), ("symbol", "A symbol"), ("counterparty", "A counterparty")]


class PlaceForm(forms.Form):
    """What to halt, why, until when."""

    scope = forms.ChoiceField(label="Halt routing of", choices=_SCOPES, widget=forms.RadioSelect)
    name = forms.CharField(
        label="Symbol or counterparty",
        required=False,
        max_length=LONGEST_COUNTERPARTY,
        help_text="As orders have it, to the letter. None for everything.",
    )
    reason = forms.CharField(
        max_length=1000,
        help_text="Everyone sees it, with your name.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    until = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        help_text="Ends by itself then; empty: when someone lifts it.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        scope, name = cleaned.get("scope"), cleaned.get("name", "")
        if scope == "everything" and name:
            self.add_error("name", "Everything has no name: leave it empty, or choose what it is.")
        elif scope == "symbol" and not 0 < len(name) <= LONGEST_SYMBOL:
            self.add_error("name", f"Expected a symbol of 1 to {LONGEST_SYMBOL} characters.")
        elif scope == "counterparty" and not name:
            self.add_error("name", "Expected a counterparty.")
        return cleaned

    @property
    def scoped(self) -> dict[str, str]:
        scope = self.cleaned_data["scope"]
        return {} if scope == "everything" else {scope: self.cleaned_data["name"]}


@admin.register(Halt)
class HaltAdmin(ReadOnlyAdmin):
    list_display = ("what", "state", "reason", "actor", "since", "until", "lifted_at", "lifted_by")
    sortable_by = ()
    fields = (
        ("symbol", "counterparty"),
        ("state", "reason"),
        ("actor", "since", "until"),
        ("lifted_at", "lifted_by"),
    )
    readonly_fields = ("state",)
    list_before_template = "admin/orders/halt/in_force.html"
    actions = ("lift",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(halts.PERMISSION)

    def has_halt_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(halts.PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        lift = self.admin_site.admin_view(self.lift_view)
        return [path("<int:pk>/lift/", lift, name="orders_halt_lift"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        in_force, held = list(halts.in_force()), halts.held()
        shown = {
            "in_force": [(halt, _held(held, halt)) for halt in in_force],
            "may_halt": self.has_halt_permission(request),
        }
        return super().changelist_view(request, shown | (extra_context or {}))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask what and why, halt it, say how many orders that holds."""
        del form_url, extra_context
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = PlaceForm(request.POST if request.method == "POST" else None)
        if form.is_valid() and (placed := _placed(form, request)):
            held = _held(halts.held(), placed)
            messages.success(request, f"Routing of {self.what(placed)} is halted, which holds {held}.")
            return HttpResponseRedirect(reverse(_LIST))
        return self._page(request, "place", "Halt routing", form=form)

    def lift_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Ask why, then lift it."""
        if not self.has_halt_permission(request):
            raise PermissionDenied
        halt = Halt.objects.filter(pk=pk).first()
        if halt is None:
            raise Http404
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            actor = request.user.get_username()
            if halts.lift(pk, reason=form.cleaned_data["reason"], actor=actor):
                messages.success(
                    request, f"The halt of {self.what(halt)} is lifted: what waited for it is due."
                )
            else:
                messages.warning(request, f"The halt of {self.what(halt)} was not in force any more.")
            return HttpResponseRedirect(reverse(_LIST))
        return self._page(
            request,
            "lift",
            "Lift a halt",
            form=form,
            halt=halt,
            what=self.what(halt),
            state=self.state(halt),
            held=_held(halts.held(), halt),
        )

    def _page(self, request: HttpRequest, name: str, title: str, **context: Any) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, f"admin/orders/halt/{name}.html", shared | context)

    @admin.action(description="Lift…", permissions=["halt"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Halt]) -> HttpResponseBase | None:
        ids = list(queryset.values_list("pk", flat=True)[:2])
        if len(ids) != 1:
            self.message_user(request, "Halts are lifted one at a time: choose one.", messages.ERROR)
            return None
        return HttpResponseRedirect(reverse("admin:orders_halt_lift", args=ids))

    def tables(self, obj: Halt) -> list[Table]:
        entries = AuditEntry.objects.filter(subject=halts.subject(obj.pk)).order_by("id")
        rows = [(entry.at, entry.actor, entry.action, entry.detail.get("reason", "")) for entry in entries]
        return [Table("What people did", ("When", "Who", "What", "Why"), rows)]

    @admin.display(description="halted")
    def what(self, halt: Halt) -> str:
        return halt.symbol or halt.counterparty or "everything"

    @admin.display(description="state")
    def state(self, halt: Halt) -> str:
        return halts.state(halt, timezone.now())


def _placed(form: PlaceForm, request: HttpRequest) -> Halt | None:
    """None: the form says why there is none."""
    try:
        return halts.halt(
            reason=form.cleaned_data["reason"],
            actor=request.user.get_username(),
            until=form.cleaned_data["until"],
            **form.scoped,
        )
    except halts.Refused as refusal:
        form.add_error(None, f"Not halted: {refusal}.")
        return None


def _held(held: halts.Held, halt: Halt) -> str:
    count = held.by_halt.get(halt.pk, 0)
    return f"{count:,} order{'' if count == 1 else 's'}" + ("" if held.complete else " or more")
