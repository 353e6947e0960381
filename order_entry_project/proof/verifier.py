"""Whether the promises were kept: what was sent, compared with what was left behind.

Knows what the service promises and nothing of how it keeps it. For the end of a run, when all work has settled.
"""

from __future__ import annotations

from collections.abc import Sequence

from order_entry_project.proof.arrivals import Arrivals
from order_entry_project.proof.copies import published_copies, status_copies
from order_entry_project.proof.evidence import Evidence
from order_entry_project.proof.finding import Finding
from order_entry_project.proof.ledger import Sent
from order_entry_project.proof.stories import story_of


def findings(sent: Sequence[Sent], found: Evidence, *, router_was_well: bool) -> list[Finding]:
    """Every promise not kept, none when all were.

    `router_was_well`: it accepted whatever it was asked, so that no order may wait for a person but by a conflict.
    """
    wrong = list(Arrivals(sent, found).findings())
    for order in found.orders.values():
        wrong += story_of(
            order,
            found.events.get(order.order_id, ()),
            found.routes.get(order.order_id, ()),
            router_was_well=router_was_well,
        )
    for order_id in (found.events.keys() | found.routes.keys()) - found.orders.keys():
        wrong.append(Finding("P1", f"order {order_id} has events or routes, and is not in the book"))
    wrong += status_copies(found)
    wrong += published_copies(found)
    return sorted(wrong)
