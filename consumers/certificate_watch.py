"""When the configuration's certificates end: as a metric, and as a warning before they do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from consumers import certificates
from consumers.certificates import CertificateFile, CertificateUnusable

logger = logging.getLogger(__name__)

_LOOK = 10.0  # seconds between looks at whether a file has changed
_SAY = 86_400.0  # seconds between two warnings of the same


class CertificateWatch(Collector):
    """The first end among the certificates of each of `files()`; one is read again when it has changed."""

    def __init__(self, files: Callable[[], Iterator[CertificateFile]]) -> None:
        self._files = files
        self._seen: dict[CertificateFile, tuple[tuple[int, ...], datetime | str]] = {}
        self._looked_at = -_LOOK
        self._said: dict[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        """A file that cannot be read has no sample."""
        family = GaugeMetricFamily(
            "certificate_expiry_timestamp_seconds",
            "First end of a certificate in the file that this key of the configuration names",
            labels=["certificate"],
        )
        for file, end in self._ends().items():
            if isinstance(end, datetime):
                family.add_metric([file.name], end.timestamp())
        yield family

    def remind(self, *, within: float) -> None:
        """Log, once a day each, what ends within so many seconds, has ended or cannot be read."""
        now = time.monotonic()
        for file, end in self._ends().items():
            complaint = _complaint(file, end, within)
            if complaint and now - self._said.get(complaint, -_SAY) >= _SAY:
                logger.warning("%s", complaint)
                self._said[complaint] = now

    def _ends(self) -> dict[CertificateFile, datetime | str]:
        """When each ends, or why it cannot be said."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK:
            self._looked_at = now
            self._seen = {file: self._look(file) for file in self._files()}
        return {file: end for file, (_, end) in self._seen.items()}

    def _look(self, file: CertificateFile) -> tuple[tuple[int, ...], datetime | str]:
        try:
            stat = file.path.stat()
        except OSError as error:
            return (), str(CertificateUnusable(file.name, file.path, error.strerror))
        stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        known = self._seen.get(file)
        if known and known[0] == stamp:
            return known
        try:
            return stamp, min(one.not_after for one in certificates.read(file))
        except CertificateUnusable as error:
            # Read again next time: permissions may change without the file doing so.
            return (), str(error)


def _complaint(file: CertificateFile, end: datetime | str, within: float) -> str | None:
    if isinstance(end, str):
        return end
    now = datetime.now(UTC)
    if end > now + timedelta(seconds=within):
        return None
    return f"{file.name} {file.path} {'ends' if end > now else 'ended'} on {end:%Y-%m-%d %H:%M} UTC: renew it"
