"""Who may do what: each view names in `scopes` what each of its methods needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from orders.scopes import PERMISSIONS, Caller, Scope, scopes_of

if TYPE_CHECKING:  # its module imports this one, by the settings
    from rest_framework.views import APIView


class ScopeMissing(PermissionDenied):
    """A known caller may not do this. `members` say so to machines."""

    def __init__(self, scope: Scope, user: Any) -> None:
        whose = "this token or certificate does not have"
        if not isinstance(user, Caller):
            whose = f"users have by the permission {PERMISSIONS[scope]}"
        super().__init__(f"This needs the scope {scope}, which {whose}.")
        self.members = {"scope": scope.value}


class ScopePermission(BasePermission):
    """`scopes` of the view, by method, decides. A method that names none is refused to everyone."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # to be told that there is no such method
        scopes: dict[str, Scope] = getattr(view, "scopes", {})
        if method not in scopes:
            raise ImproperlyConfigured(f"{type(view).__name__} names no scope for {method}")
        return _has(request, scopes[method])


class DocumentationPermission(BasePermission):
    """What the API looks like is as open as the status of an order."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        del view
        return settings.CONFIG.api.anonymous_reads or _has(request, Scope.READ)


def _has(request: Request, scope: Scope) -> bool:
    """False: nobody known. Raises `ScopeMissing`."""
    if not request.user.is_authenticated:
        return False
    if scope not in scopes_of(request.user):
        raise ScopeMissing(scope, request.user)
    return True
