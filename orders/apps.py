from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in, user_login_failed

        from orders import accounts
        from orders.logins import note_failure, note_login

        connection_created.connect(_leave_json_as_text)
        user_logged_in.connect(note_login)
        user_login_failed.connect(note_failure)
        accounts.watch()


def _leave_json_as_text(connection: Any, **_: Any) -> None:
    """What `ExactJSONField` holds is sent again byte for byte: psycopg is not to read it."""
    from psycopg.types.string import TextLoader

    connection.connection.adapters.register_loader("json", TextLoader)
