"""The charts of what has been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.urls import reverse

from order_entry_project.console.charts import Bar, Chart, chart
from order_entry_project.console.history import Minute, Period
from orders.lifecycle import Status

_STATUSES = {status.value: str(status.label).lower() for status in Status}


def throughput_chart(hour: Sequence[Period[Minute]]) -> Chart:
    bars = [
        Bar(
            f"{period.start:%H:%M}: {_throughput(period.value)}",
            {"routed": period.value.routed, "unanswered": period.value.unanswered + period.value.refused}
            if period.value
            else None,
        )
        for period in hour
    ]
    kinds = {"routed": "routed", "unanswered": "calls refused or unanswered"}
    return _by_minute("Routed in the last hour, by the minute", bars, hour, kinds=kinds, unit="")


def latency_chart(hour: Sequence[Period[Minute]]) -> Chart:
    """The median, and on it what 95 of 100 stay below."""
    bars = [
        Bar(f"{period.start:%H:%M}: {_latency(period.value)}", _latencies(period.value)) for period in hour
    ]
    kinds = {"median": "half took less", "late": "95 of 100 took less"}
    return _by_minute("From message to route in the last hour", bars, hour, kinds=kinds, unit=" ms")


def days_chart(days: Sequence[Period[Mapping[str, int]]]) -> Chart:
    bars = [
        Bar(
            f"{day.start:%A %d %b}: {_counts(day.value)}",
            None if day.value is None else {status: day.value.get(status, 0) for status in _STATUSES},
            _orders_of(day),
        )
        for day in days
    ]
    first, last = f"{days[0].start:%d %b}", f"{days[-1].start:%d %b}"
    return chart("Orders by day of creation", bars, kinds=_STATUSES, unit="", first=first, last=last)


def _by_minute(
    title: str, bars: Sequence[Bar], hour: Sequence[Period[Minute]], *, kinds: Mapping[str, str], unit: str
) -> Chart:
    first, last = f"{hour[0].start:%H:%M}", f"{hour[-1].start:%H:%M} UTC"
    return chart(title, bars, kinds=kinds, unit=unit, first=first, last=last)


def _throughput(minute: Minute | None) -> str:
    if minute is None:
        return "not known"
    return (
        f"{minute.placed:,} placed, {minute.routed:,} routed, {minute.refused:,} calls refused, "
        f"{minute.unanswered:,} unanswered"
    )


def _latency(minute: Minute | None) -> str:
    if minute is None:
        return "not known"
    if minute.median is None or minute.late is None:
        return "none routed"
    return f"half took less than {minute.median:.1f} ms, 95 of 100 less than {minute.late:.1f} ms"


def _latencies(minute: Minute | None) -> dict[str, float] | None:
    if minute is None:
        return None
    if minute.median is None or minute.late is None:
        return {}
    return {"median": minute.median, "late": minute.late - minute.median}


def _counts(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return "not known"
    return (
        ", ".join(f"{counts[status]:,} {word}" for status, word in _STATUSES.items() if status in counts)
        or "none"
    )


def _orders_of(day: Period[Mapping[str, int]]) -> str:
    span = f"created_at_from={day.start:%Y-%m-%d}&created_at_to={day.start:%Y-%m-%d}"
    return f"{reverse('admin:orders_order_changelist')}?{span}"
