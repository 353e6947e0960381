"""The console's sessions end: some time after their person did something, and at the latest so long after log-in."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

_PRESENCE = "presence"  # when the session began, when its person was seen last: seconds since 1970
_NOTED_EVERY = 60.0
# Asked for by a page that nobody may be looking at any more.
_OF_ITSELF = frozenset({"/admin/home/"})


class PresentPeople(AuthenticationMiddleware):
    """In the place of Django's own: a session that is over has no user. Costs nothing where nobody asks for one."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        user = request.user
        request.user = SimpleLazyObject(lambda: _present(request, user))  # type: ignore[assignment] # stands for it


def begin(request: HttpRequest, **_: Any) -> None:
    """Someone has logged in."""
    now = time.time()
    request.session[_PRESENCE] = (now, now)


def _present(request: HttpRequest, user: User | AnonymousUser) -> User | AnonymousUser:
    if not user.is_authenticated:
        return user
    now = time.time()
    began, seen = request.session.get(_PRESENCE, (0.0, 0.0))
    console = settings.CONFIG.console
    if now - began > console.session_lifetime or now - seen > console.session_idle:
        request.session.flush()
        return AnonymousUser()
    if request.path not in _OF_ITSELF and now - seen > min(_NOTED_EVERY, console.session_idle / 10):
        request.session[_PRESENCE] = (began, now)
    return user
