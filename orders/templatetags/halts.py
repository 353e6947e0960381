"""The halts in force, for the banner on every page of the console."""

from __future__ import annotations

from django import template
from django.contrib.auth.models import AnonymousUser, User

from orders import halts
from orders.models import Halt

register = template.Library()

_MOST = 5


@register.simple_tag
def halts_in_force(user: User | AnonymousUser) -> list[Halt]:
    """For those who may see orders; no more than a banner has room for."""
    return list(halts.in_force()[:_MOST]) if user.has_perm("orders.view_order") else []
