"""Making the status cache agree with the order book, batch by batch, while others go on writing both.

Note on races: the book is read before the cache, so a consumer may have changed both meanwhile. Writing what was
read does no harm then, since an older version never overwrites a newer one. A record of a version that the book,
asked again, still does not know is older than a restore of SQL: no write would get past it for as long as it
lives, so it is removed first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db.models import QuerySet

from orders import audit, status_cache
from orders.cache_comparison import same
from orders.models import Order
from orders.status_cache import StatusCache
from orders.stores.port import Read, RecordsRefused


@dataclass(slots=True)
class Repair:
    """Orders compared, and how many of their records were missing, different, or ahead of the book.

    `mended` of these, where that was asked for; `refused` by a store that answers, with what it said.
    """

    compared: int = 0
    missing: int = 0
    different: int = 0
    ahead: int = 0
    mended: int = 0
    refused: int = 0
    refusal: str = ""

    @property
    def found(self) -> int:
        return self.missing + self.different + self.ahead


@dataclass(slots=True, frozen=True)
class _Wrong:
    missing: list[Order]
    different: list[Order]
    ahead: list[Order]


def changed_since(since: datetime) -> QuerySet[Order]:
    """The orders to compare, in the order of their ids: one walk along the primary key."""
    return Order.objects.filter(updated_at__gte=since).order_by("order_id")


def repair(
    orders: QuerySet[Order], *, batch: int, mend: bool, on_progress: Callable[[Repair], None]
) -> Repair:
    """Compare the cache with these orders, `batch` at a time, and `mend` what differs.

    Whatever of them has no record counts as missing: ask for none whose record may have expired.
    Raises `StoreUnavailable`; what was mended until then stays so.
    """
    cache = status_cache.from_settings()
    repaired = Repair()
    for some in _batches(orders, batch):
        wrong = _compared(cache, some)
        repaired.compared += len(some)
        repaired.missing += len(wrong.missing)
        repaired.different += len(wrong.different)
        repaired.ahead += len(wrong.ahead)
        if mend:
            _mend(cache, wrong, repaired)
        on_progress(repaired)
    return repaired


def repair_one(order_id: str, *, actor: str) -> Repair:
    """Make the cache agree with the book about one order, on record. Raises `StoreUnavailable`."""
    repaired = repair(Order.objects.filter(pk=order_id), batch=1, mend=True, on_progress=lambda _: None)
    if repaired.found:
        audit.record(actor=actor, action="cache.repair", subject=order_id, detail=asdict(repaired))
    return repaired


def _batches(orders: QuerySet[Order], size: int) -> Iterator[list[Order]]:
    some = list(orders[:size])
    while some:
        yield some
        some = list(orders.filter(order_id__gt=some[-1].order_id)[:size])


def _compared(cache: StatusCache, orders: Sequence[Order]) -> _Wrong:
    found = cache.records([order.order_id for order in orders])
    missing = [order for order in orders if order.order_id not in found]
    differing = [order for order in orders if order.order_id in found and not _agrees(cache, order, found)]
    newer = [order.order_id for order in differing if _version(found[order.order_id]) > order.version]
    different = [order for order in differing if order.order_id not in newer]
    return _Wrong(missing, different, _ahead(cache, newer))


def _ahead(cache: StatusCache, order_ids: Sequence[str]) -> list[Order]:
    """Of orders whose record seemed newer than the book, those for which it is, the book being read last."""
    if not order_ids:
        return []
    found = cache.records(order_ids)
    again = Order.objects.filter(pk__in=order_ids).order_by("order_id")
    return [order for order in again if _version(found.get(order.order_id, {})) > order.version]


def _mend(cache: StatusCache, wrong: _Wrong, repaired: Repair) -> None:
    orders = [*wrong.missing, *wrong.different, *wrong.ahead]
    if wrong.ahead:
        cache.store.remove([cache.key(order.order_id) for order in wrong.ahead])
    refused = 0
    try:
        cache.store.write([cache.record_of(order) for order in orders])
    except RecordsRefused as refusal:
        repaired.refusal = str(refusal)
        found = cache.records([order.order_id for order in orders])
        refused = sum(not _agrees(cache, order, found) for order in orders)
    repaired.refused += refused
    repaired.mended += len(orders) - refused


def _agrees(cache: StatusCache, order: Order, found: dict[str, Read]) -> bool:
    return same(cache.record_of(order), found.get(order.order_id, {}))


def _version(record: Read) -> int:
    version = record.get("version", "")
    return int(version) if version.isdecimal() else 0
