"""`manage.py dbshell` with the credentials of now."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.db.backends.postgresql import client


class DatabaseClient(client.DatabaseClient):
    def runshell(self, parameters: Iterable[str]) -> None:
        login = settings.CREDENTIALS.sql.current()
        self.connection.settings_dict |= {"USER": login.user, "PASSWORD": login.password}
        super().runshell(parameters)
