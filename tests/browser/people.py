"""Who sits at the console."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.servers.postgres import Database

PASSWORD = "correct horse battery"

_SEE = (
    "view_order",
    "view_rejectedmessage",
    "view_halt",
    "view_auditentry",
    "view_bulkaction",
)
_OPERATE = (
    "route_order",
    "retry_order",
    "cancel_order",
    "review_order",
    "replay_rejectedmessage",
    "discard_rejectedmessage",
    "add_halt",
    "lift_halt",
)
_SUPERVISE = ("approve_route", "view_routeapproval", "view_apitoken", "add_apitoken", "revoke_apitoken")
ROLES: Mapping[str, tuple[str, ...]] = {
    "viewer": _SEE,
    "operator": _SEE + _OPERATE,
    "supervisor": _SEE + _OPERATE + _SUPERVISE,
}

_PERSON = """
INSERT INTO auth_user (username, password, is_staff, is_active, is_superuser, first_name, last_name, email, date_joined)
VALUES (%s, %s, true, true, false, '', '', '', now()) RETURNING id
"""
_MAY = """
INSERT INTO auth_user_user_permissions (user_id, permission_id)
SELECT %s, id FROM auth_permission WHERE codename = ANY (%s)
"""


def introduce(database: Database) -> None:
    """One person for each role, of its name."""
    # Hashed as the web process reads it, not as tests that log in often have it.
    hasher = PBKDF2PasswordHasher()
    password = hasher.encode(PASSWORD, hasher.salt())
    with database.connect() as connection:
        for role, permissions in ROLES.items():
            (user,) = connection.execute(_PERSON, [role, password]).fetchone() or ()
            connection.execute(_MAY, [user, list(permissions)])
