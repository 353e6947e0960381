"""What may become of an order: statuses, events, and which follows which. Pure; SQL and Python both obey it."""

from django.db.models import TextChoices


class Status(TextChoices):
    PLACED = "PLACED"
    PENDING_ROUTE = "PENDING_ROUTE"
    ROUTED = "ROUTED"
    EXECUTED = "EXECUTED"
    CANCELED = "CANCELED"


class Event(TextChoices):
    PLACED = "PLACED"
    PENDING_ROUTE = "PENDING_ROUTE"
    REVIEW_REQUIRED = "REVIEW_REQUIRED"
    REVIEW_CLEARED = "REVIEW_CLEARED"
    ROUTED = "ROUTED"
    EXECUTED = "EXECUTED"
    CANCELED = "CANCELED"


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PLACED: frozenset({Status.ROUTED, Status.PENDING_ROUTE, Status.CANCELED}),
    Status.PENDING_ROUTE: frozenset({Status.ROUTED, Status.CANCELED}),
    Status.ROUTED: frozenset({Status.EXECUTED, Status.CANCELED}),
    Status.EXECUTED: frozenset(),
    Status.CANCELED: frozenset(),
}

# Not yet routed: whoever wants to route such an order takes its claim first.
ROUTABLE: tuple[Status, ...] = tuple(s for s, after in TRANSITIONS.items() if Status.ROUTED in after)
# Nothing follows: a cached document of such an order never ages.
FINAL: frozenset[Status] = frozenset(s for s, after in TRANSITIONS.items() if not after)


def in_words(status: str) -> str:
    """As people say it, amid a sentence."""
    return str(Status(status).label).lower()


def may_become(current: Status, following: Status) -> bool:
    """Whether an order with status `current` may take the status `following`."""
    return following in TRANSITIONS[current]


def sources_of(following: Status) -> tuple[Status, ...]:
    """The statuses from which `following` may be reached, for an UPDATE's `WHERE status IN (…)`."""
    return tuple(status for status, after in TRANSITIONS.items() if following in after)
