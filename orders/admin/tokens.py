"""The console's pages of API tokens: made here and shown once, listed, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from orders.admin.read_only import ReadOnlyAdmin
from orders.api import tokens
from orders.models import ApiToken
from orders.scopes import Scope, scopes_of


class TokenForm(forms.Form):
    name = forms.CharField(max_length=64, help_text="What it is for: A-Z a-z 0-9 . _ -")
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(
        label="Days until it expires", min_value=1, max_value=tokens.LONGEST_LIFE.days, initial=90
    )

    def __init__(self, owner: User, data: Any = None) -> None:
        super().__init__(data)
        self.fields["scopes"].choices = [  # type: ignore[attr-defined] # a MultipleChoiceField
            (scope.value, scope.value) for scope in Scope if scope in scopes_of(owner)
        ]


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """A token made here is its maker's, and can never do more than they may."""

    list_display = (
        "name",
        "prefix",
        "shown_scopes",
        "owner",
        "state",
        "created_at",
        "expires_at",
        "last_used_at",
    )
    list_select_related = ("owner",)
    search_fields = ("name__startswith", "prefix__startswith")
    fields = (
        ("name", "prefix"),
        "shown_scopes",
        "owner",
        ("created_at", "created_by"),
        ("expires_at", "last_used_at"),
        ("revoked_at", "revoked_by"),
    )
    readonly_fields = ("shown_scopes",)
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.add_apitoken")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.revoke_apitoken")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Ask for it, make it, and show it in the answer to that very request: it is kept nowhere."""
        del form_url, extra_context
        if not self.has_add_permission(request) or not isinstance(request.user, User):
            raise PermissionDenied
        form = TokenForm(request.user, request.POST if request.method == "POST" else None)
        text = _made(form, request.user) if form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "title": "New API token",
            "opts": self.opts,
            "form": form,
            "token": text,
        }
        return TemplateResponse(request, "admin/orders/apitoken/new.html", context)

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            if tokens.revoke(token.pk, actor=request.user.get_username(), reason="revoked in the console"):
                self.message_user(request, f"{token} is revoked.", messages.SUCCESS)
            else:
                self.message_user(request, f"{token} was revoked already.", messages.WARNING)

    @admin.display(description="scopes")
    def shown_scopes(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        return tokens.state(token, timezone.now())


def _made(form: TokenForm, owner: User) -> str | None:
    """The new token's text; None: the form says why there is none."""
    try:
        _, text = tokens.create(
            name=form.cleaned_data["name"],
            scopes=[Scope(scope) for scope in form.cleaned_data["scopes"]],
            life=timedelta(days=form.cleaned_data["days"]),
            owner=owner,
            actor=owner.get_username(),
            reason="created in the console",
        )
    except tokens.Refused as refusal:
        form.add_error(None, str(refusal))
        return None
    return text
