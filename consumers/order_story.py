"""What the queue side knows of an order's story: its messages that could not be taken."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from consumers.models import RejectedMessage
from orders.models import Order
from routing.story import Entry

# Of one order; whoever wants more finds them in the list.
_MOST = 50


def rejected_messages(order: Order) -> Iterator[Entry]:
    """Those that bear its id, latest first when there are too many."""
    found = RejectedMessage.objects.filter(order_id=order.order_id).order_by("-rejected_at")
    for message in found.defer("body", "headers")[:_MOST]:
        yield Entry(
            message.rejected_at,
            "message",
            f"Message {message.message_id} was rejected: {message.get_reason_display()}",
            why=message.error,
            mood="bad",
            link=reverse("admin:consumers_rejectedmessage_change", args=[message.pk]),
        )
