# noqa: INP001 - a script
"""Runs django-migration-linter without making this development tool an app of the service."""

import os
import sys

import django
from django.core.management import call_command

sys.path.insert(0, ".")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
os.environ.setdefault("ORDER_ENTRY__LOGS__LEVEL", "WARNING")  # it tells of each migration
django.setup()

from django_migration_linter.management.commands.lintmigrations import Command  # noqa: E402 - needs settings

IGNORED = [
    # A first migration makes its tables and so locks nothing that anyone uses.
    "0001_initial",
    # It fills the column in batches, and a trigger fills it for code that does not know it, before it is NOT NULL.
    "0008_event_hashes",
]
call_command(Command(), no_cache=True, quiet=["ok", "ignore"], warnings_as_errors=[], ignore_name=IGNORED)
