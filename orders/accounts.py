"""Users, groups and what they may: every change is on record, made in the console, by a command or in a shell.

Only `QuerySet.update` goes unseen; nothing here uses it for these.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest, HttpResponse

from orders import audit
from orders.operators import operator

_asking: ContextVar[HttpRequest | None] = ContextVar("_asking", default=None)
_TOLD = ("username", "name", "is_active", "is_staff", "is_superuser")
_BOTH = (User, Group)
_RELATIONS = (User.groups.through, User.user_permissions.through, Group.permissions.through)
_DONE = {"post_add": "added", "post_remove": "removed", "pre_clear": "removed"}


class NoteWhoAsks:
    """Middleware, after the one that knows who it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _asking.set(request)
        try:
            return self._get_response(request)
        finally:
            _asking.reset(token)


def watch() -> None:
    """From now on."""
    for model in _BOTH:
        pre_save.connect(_keep_what_was, sender=model)
        post_save.connect(_note_change, sender=model)
        post_delete.connect(_note_end, sender=model)
    for relation in _RELATIONS:
        m2m_changed.connect(_note_rights, sender=relation)


def _keep_what_was(sender: type[Model], instance: Model, **_: Any) -> None:
    there = sender._default_manager.filter(pk=instance.pk).values().first() if instance.pk else None  # noqa: SLF001 - public API
    instance._was = there  # type: ignore[attr-defined] # noqa: SLF001 - ours


def _note_change(sender: type[Model], instance: Model, *, created: bool, **_: Any) -> None:
    was = instance._was or {}  # type: ignore[attr-defined] # noqa: SLF001 - ours
    now = sender._default_manager.filter(pk=instance.pk).values().get()  # noqa: SLF001 - public API
    if created:
        _record("create", instance, {name: now[name] for name in _TOLD if name in now})
        return
    changed = [name for name in now if now[name] != was.get(name) and name != "last_login"]
    if changed:
        # What else there is, is theirs: it changed, that is all.
        told = {name: {"from": was.get(name), "to": now[name]} for name in changed if name in _TOLD}
        _record("change", instance, dict.fromkeys(changed, "changed") | told)


def _note_end(instance: Model, **_: Any) -> None:
    _record("delete", instance, {})


def _note_rights(
    sender: type[Model], instance: Model, action: str, model: type[Model], pk_set: set[int] | None, **_: Any
) -> None:
    """A clearing does not say of what: it is asked for before."""
    if action not in _DONE:
        return
    if pk_set is None:
        pk_set = _related(sender, instance, model)
    if pk_set:
        names = sorted(str(one) for one in model._default_manager.filter(pk__in=pk_set))  # noqa: SLF001 - public API
        what = model._meta.verbose_name_plural  # noqa: SLF001 - public API
        _record("change", instance, {str(what): {_DONE[action]: names}})


def _related(sender: type[Model], instance: Model, model: type[Model]) -> set[int]:
    ours, theirs = instance._meta.model_name, model._meta.model_name  # noqa: SLF001 - public API
    rows = sender._default_manager.filter(**{f"{ours}_id": instance.pk})  # noqa: SLF001 - public API
    return set(rows.values_list(f"{theirs}_id", flat=True))


def _record(verb: str, instance: Model, detail: dict[str, Any]) -> None:
    area = instance._meta.model_name  # noqa: SLF001 - public API
    audit.record(actor=_who(), action=f"{area}.{verb}", subject=str(instance), detail=detail)


def _who() -> str:
    request = _asking.get()
    if request is not None and request.user.is_authenticated:
        return request.user.get_username()
    return operator()
