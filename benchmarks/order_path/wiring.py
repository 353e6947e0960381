"""What a contender is told: where its neighbours are, and how much it takes at once."""

from __future__ import annotations

import os
from typing import Self

import msgspec

_VARIABLE = "ORDER_ENTRY_BENCH"


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """URLs, queues; `batch_size` counts orders of one SQL statement, `in_flight` calls of the router at once."""

    sql: str
    broker: str
    redis: str
    router: str
    queue: str
    routed: str
    batch_size: int
    in_flight: int

    def env(self) -> dict[str, str]:
        return {_VARIABLE: msgspec.json.encode(self).decode()}

    @classmethod
    def from_env(cls) -> Self:
        return msgspec.json.decode(os.environ[_VARIABLE], type=cls)
