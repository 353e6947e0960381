"""The console's pages of users and of their groups."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm


class ConsoleUserAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # Two lists beside each other are wider than the page.
    filter_horizontal = ()


class ConsoleGroupAdmin(GroupAdmin, ModelAdmin):  # type: ignore[misc]
    filter_horizontal = ()


def register() -> None:
    """In the place of Django's own."""
    admin.site.unregister([User, Group])
    admin.site.register(User, ConsoleUserAdmin)
    admin.site.register(Group, ConsoleGroupAdmin)
