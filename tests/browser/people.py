"""Who sits at the console."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.servers.postgres import Database

PASSWORD = "correct horse battery"

ROLES = ("viewer", "operator", "supervisor")

_PERSON = """
INSERT INTO auth_user (username, password, is_staff, is_active, is_superuser, first_name, last_name, email, date_joined)
VALUES (%s, %s, true, true, false, '', '', '', now()) RETURNING id
"""
_MAY = "INSERT INTO auth_user_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = %s"


def introduce(database: Database) -> None:
    """One person for each role, of its name."""
    # Hashed as the web process reads it, not as tests that log in often have it.
    hasher = PBKDF2PasswordHasher()
    password = hasher.encode(PASSWORD, hasher.salt())
    with database.connect() as connection:
        for role in ROLES:
            (user,) = connection.execute(_PERSON, [role, password]).fetchone() or ()
            connection.execute(_MAY, [user, role])
