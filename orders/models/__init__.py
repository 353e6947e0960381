"""The tables of the order book and of what stands beside it, a file for each subject."""

from orders.models.api import ApiToken, KeptAnswer
from orders.models.audit import AuditAnchor, AuditEntry
from orders.models.halt import Halt
from orders.models.order import Order, OrderEvent
from orders.models.store import StoreRecord

__all__ = [
    "ApiToken",
    "AuditAnchor",
    "AuditEntry",
    "Halt",
    "KeptAnswer",
    "Order",
    "OrderEvent",
    "StoreRecord",
]
