"""Log-ins by password: those to the console are on record, failures of the API's too, and too many close the door.

Note on counting: the record is the count. Failed log-ins of one name from one address are looked up in
`audit_entries`, which all instances share and no restart forgets. Whoever tries many names is bounded by address,
on each instance by itself: that also bounds what a stranger can have put on record. The right password is not
looked at while the door is closed, nor is anything put on record then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from orders import audit
from orders.api import proxies
from orders.api.rates import Rate, Turns
from orders.models import AuditEntry

_FAILED = "login.fail"
_MOST_OF_ONE_NAME = 10
_WITHIN = timedelta(minutes=15)
_OF_ONE_ADDRESS = Rate(60, 900.0)
_LONGEST_NAME = 150

_failures = Turns()


def wait(request: proxies.Request, username: str) -> float:
    """Seconds for which nobody of this name is let in from the request's address; 0.0: the door is open."""
    if seconds := _failures.wait(proxies.client_site(request), _OF_ONE_ADDRESS):
        return seconds
    now = datetime.now(UTC)
    failed = AuditEntry.objects.filter(
        subject=_shown(username),
        action=_FAILED,
        at__gt=now - _WITHIN,
        detail__address=proxies.client_site(request),
    ).order_by("-at")
    tenth = failed.values_list("at", flat=True)[_MOST_OF_ONE_NAME - 1 : _MOST_OF_ONE_NAME].first()
    return (tenth + _WITHIN - now).total_seconds() if tenth else 0.0


class GuardedBackend(ModelBackend):
    """Django's own; it is not asked while the door is closed."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if request is not None and username is not None:
            if "\0" in username:
                return None
            if wait(request, username):
                request.login_closed = True  # type: ignore[attr-defined] # for note_failure()
                raise PermissionDenied
        return super().authenticate(request, username, password, **kwargs)


def note_failure(
    sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """Put a failed log-in on record (a receiver of Django's signal)."""
    del sender
    if request is None or hasattr(request, "login_closed"):
        return
    site = proxies.client_site(request)
    _failures.take(site, _OF_ONE_ADDRESS)
    name = _shown(str(credentials.get("username") or ""))
    detail = {"address": site, "path": request.path, "reason": "wrong name or password"}
    audit.record(actor=name, action=_FAILED, subject=name, detail=detail)


def note_login(sender: object, request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """Put a log-in to the console on record (a receiver of Django's signal)."""
    del sender
    if site := proxies.client_site(request):
        name = user.get_username()
        audit.record(actor=name, action="login.succeed", subject=name, detail={"address": site})


def _shown(username: str) -> str:
    """A name that anyone may have made up, as it is on record."""
    text = "".join(c if c.isprintable() else "?" for c in username[:_LONGEST_NAME])
    return text or "nobody"
