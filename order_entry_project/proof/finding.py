"""What a proof finds: a promise that was not kept, and for which order or message."""

from __future__ import annotations

from typing import Literal, NamedTuple

Promise = Literal["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"]

PROMISES: dict[Promise, str] = {
    "P1": "no order is lost",
    "P2": "no order is entered twice, and none that nobody sent",
    "P3": "a redelivery changes nothing, other content is a conflict",
    "P4": "one claim, one accepted route, one execution",
    "P5": "every routed order is published, always in the same words",
    "P6": "every change of state has one event",
    "P7": "the cache never lies for long",
    "P8": "what is broken is quarantined whole, and blocks nothing",
}


class Finding(NamedTuple):
    promise: Promise
    what: str

    def __str__(self) -> str:
        return f"{self.promise} ({PROMISES[self.promise]}): {self.what}"
