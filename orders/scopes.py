"""What a caller of the API may do, however it proved who it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User


class Scope(StrEnum):
    READ = "read"
    CREATE = "create"
    OPERATE = "operate"
    METRICS = "metrics"


# What a person has in the console, it has here.
PERMISSIONS = {
    Scope.READ: "orders.view_order",
    Scope.CREATE: "orders.add_order",
    Scope.OPERATE: "orders.route_order",
    Scope.METRICS: "orders.view_order",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A program, in the place of `request.user`. `name` is on record as the actor of what it does.

    `owner`: the user whose rights bound it, if any.
    """

    name: str
    scopes: frozenset[Scope]
    owner: User | None = None

    is_authenticated: ClassVar = True
    is_active: ClassVar = True

    def get_username(self) -> str:
        return self.name


def scopes_of(user: User | AbstractBaseUser | AnonymousUser | Caller) -> frozenset[Scope]:
    if isinstance(user, Caller):
        return user.scopes
    return frozenset(scope for scope, permission in PERMISSIONS.items() if user.has_perm(permission))  # type: ignore[union-attr] # all of Django's have it


def may(user: User | AbstractBaseUser | AnonymousUser | Caller, permission: str) -> bool:
    """Whether a caller who has the scope also has what takes a permission of its own: a service's own token has."""
    holder = user.owner if isinstance(user, Caller) else user
    return holder is None or holder.has_perm(permission)  # type: ignore[union-attr] # all of Django's have it
