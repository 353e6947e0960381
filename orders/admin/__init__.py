"""The console's pages of halts, of API tokens and of the audit. Django finds them by importing this package."""

from orders.admin import audit, halts, tokens

__all__ = ["audit", "halts", "tokens"]
