"""The messages of a run: good orders, repeated ones, broken ones, and others under the id of an earlier order."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Iterator

from consumers.sample_orders import Mix, Samples
from order_entry_project.proof.ledger import Sent

_SHARES = Mix(duplicates=0.10, broken=0.01)
_CONFLICTS = 0.01
# Not less, whatever chance brings.
MESSAGES_PER_ORDER = 1.15
_RECENT = 200  # orders back that a conflict reaches


def traffic(seed: int) -> Iterator[Sent]:
    """Without end, the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, no secret
    samples = Samples(_SHARES, seed=seed, prefix="CHAOS-")
    recent: deque[Sent] = deque(maxlen=_RECENT)
    before = dict(samples.counts)
    for message in samples.messages(0):
        broken = samples.counts["broken"] > before["broken"]
        sent = Sent(message.message_id, message.body, message.content_type, broken)
        yield sent
        if samples.counts["order"] > before["order"]:
            recent.append(sent)
        before = dict(samples.counts)
        if recent and rng.random() < _CONFLICTS:
            yield _conflicting(rng.choice(recent))


def _conflicting(original: Sent) -> Sent:
    body = re.sub(rb'"quantity":(\d+)', lambda said: b'"quantity":%d' % (int(said[1]) + 1), original.body)
    return Sent(f"{original.message_id}-conflict", body, original.content_type)
