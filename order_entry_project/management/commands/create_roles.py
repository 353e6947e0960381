"""`manage.py create_roles`: who owns the tables, and who runs the service."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, transaction

from order_entry_project import roles

_LONGEST = 63  # bytes, of a name in PostgreSQL


class Command(BaseCommand):
    help = (
        "Print the SQL that makes a role which owns the tables and migrates, and another one which runs the service "
        "and cannot alter the audit; with --apply, run it. First as a superuser, then as the owner after each "
        "migrate. It sets no passwords."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="run it, in one transaction")
        parser.add_argument("--owner", type=_name, default="order_entry_owner", help="default: %(default)s")
        parser.add_argument("--runtime", type=_name, default="order_entry", help="default: %(default)s")

    def handle(self, *, apply: bool, owner: str, runtime: str, **options: Any) -> None:
        del options
        if owner == runtime:
            raise CommandError("--owner and --runtime must be two roles: keeping them apart is the point")
        script = roles.script(owner=owner, runtime=runtime)
        if not apply:
            self.stdout.write(script)
            return
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT current_user = %s", [runtime])
                if cursor.fetchone() == (True,):
                    raise CommandError(
                        f"this is {runtime} itself: run it as a superuser, or as {owner} once that owns the tables"
                    )
                cursor.execute(script)
        except DatabaseError as error:
            raise CommandError(str(error).strip()) from error
        self.stdout.write(f"{owner} owns the tables; {runtime} may do what the service does.")


def _name(text: str) -> str:
    if not text.isprintable() or not 0 < len(text.encode()) <= _LONGEST:
        raise ArgumentTypeError(f"expected the name of a role, of 1 to {_LONGEST} bytes, got {text[:80]!r}")
    return text
