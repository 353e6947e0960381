"""The console's log-in: no password in the clear, no guessing."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from orders import logins
from orders.api import proxies

_MINUTE = 60


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    def clean(self) -> dict[str, Any]:
        request = self.request
        if request is None or not proxies.is_confidential(request):
            raise ValidationError(
                "Passwords are taken over https alone. This one has travelled unencrypted: change it."
            )
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            if wait := logins.wait(request, self.cleaned_data["username"]):
                minutes = int(wait) // _MINUTE + 1
                raise ValidationError(f"Too many failed log-ins. Try again in {minutes} minutes.") from None
            raise
        return cleaned
