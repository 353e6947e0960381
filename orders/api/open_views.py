"""Views that the configuration opens to all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.views import APIView


class SometimesOpen(APIView):
    """A view that asks nobody who he is while it `is_open`: it does not need SQL for that then."""

    def is_open(self) -> bool:
        raise NotImplementedError

    def get_authenticators(self) -> list[Any]:
        return [] if self._asks_nobody() else super().get_authenticators()

    def get_permissions(self) -> Sequence[Any]:
        return [] if self._asks_nobody() else super().get_permissions()

    def _asks_nobody(self) -> bool:
        # The OpenAPI document is begun without a request.
        return bool(self.request) and self.is_open()
