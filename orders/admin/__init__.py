"""The console's pages of the order book, of halts and of the audit. Django finds them by importing this package."""

from orders.admin import audit, halts

__all__ = ["audit", "halts"]
