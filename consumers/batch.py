"""What one turn takes from the inbox, decoded."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from consumers import token_policy, traces
from consumers.models import Reason
from consumers.quarantine import Rejection, message_id_of
from consumers.token import BadToken
from orders import schema
from orders.book import Arrival

if TYPE_CHECKING:
    from consumers.token_policy import Policy
    from consumers.transport import Delivery
    from orders.schema import ValidatedOrder


@dataclass(slots=True, eq=False)
class Job:
    """A delivery under way; `arrived` is monotonic."""

    delivery: Delivery
    arrived: float


@dataclass(slots=True)
class Batch:
    """Decoded messages: each order id once, by which `jobs` finds its message.

    The claim is made before anything is sent and stays the same when the batch is sent again: after a commit
    in doubt, orders that bear it are ours. Begun at `began` (monotonic).
    `untimely`: order ids whose genuine messages are too old, or of the
    future, to be taken in, and why; they count as redeliveries of orders that are in the book, and for no more.
    """

    claim: UUID = field(default_factory=uuid4)
    began: float = field(default_factory=time.monotonic)
    decode_ms: float = 0.0
    jobs: dict[str, Job] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    untimely: dict[str, str] = field(default_factory=dict)


def decode(jobs: Iterable[Job]) -> tuple[Batch, list[Job]]:
    """The batch, and the jobs whose order id it holds already: they wait until the first is in the book."""
    now = datetime.now(UTC)
    policy = token_policy.from_settings()
    batch = Batch()
    again: list[Job] = []
    for job in jobs:
        traces.arrived(job)
        message_id = message_id_of(job.delivery)
        decoded = _decode_one(job.delivery, message_id, policy, now)
        if isinstance(decoded, Rejection):
            batch.rejections.append(decoded)
            continue
        order, untimely = decoded
        if order.order_id in batch.jobs:
            again.append(job)
            continue
        batch.jobs[order.order_id] = job
        traces.named(job, order_id=order.order_id, message_id=message_id)
        batch.arrivals.append(Arrival(order, message_id, job.delivery.trace))
        if untimely:
            batch.untimely[order.order_id] = untimely
    batch.decode_ms = 1000 * (time.monotonic() - batch.began)
    return batch, again


def _decode_one(
    delivery: Delivery, message_id: str, policy: Policy, now: datetime
) -> tuple[ValidatedOrder, str | None] | Rejection:
    """The order, and why its message is untimely if it is."""
    order_id = None
    try:
        order = schema.decode(delivery.body, delivery.content_type, now)
        order_id = order.order_id
        return order, policy.check(delivery, message_id, order_id, now)
    except schema.InvalidOrder as error:
        return Rejection(
            delivery, Reason(error.reason), str(error), order_id=error.order_id, fault=error.path
        )
    except BadToken as error:
        return Rejection(delivery, Reason.BAD_TOKEN, str(error), order_id=order_id)
    except Exception:  # noqa: BLE001 - a fault of ours in one message's way must not stop the others
        return Rejection(delivery, Reason.POISON, traceback.format_exc())
