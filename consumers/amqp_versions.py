"""Which version of AMQP a broker speaks: by the scheme of its URL, else 0-9-1 until it answers otherwise."""

from __future__ import annotations

import logging
from enum import Enum
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)


class Version(Enum):
    V0_9_1 = "0-9-1"
    V1_0 = "1.0"

    @property
    def other(self) -> Version:
        return Version.V1_0 if self is Version.V0_9_1 else Version.V0_9_1


_answered: dict[str, Version] = {}  # by URL, for the life of the process


def is_given(url: str) -> bool:
    """Whether the scheme names the version."""
    return urlsplit(url).scheme in ("amqp10", "amqp10s")


def version_of(url: str) -> Version:
    return Version.V1_0 if is_given(url) else _answered.get(url, Version.V0_9_1)


def tells_depths(url: str) -> bool:
    """Whether the broker says how many messages wait: over AMQP 1.0 none does."""
    return version_of(url) is not Version.V1_0


def answered(url: str, version: Version) -> None:
    """The broker has said so."""
    if _answered.get(url) is not version:
        _answered[url] = version
        logger.info("the broker speaks AMQP %s", version.value)
