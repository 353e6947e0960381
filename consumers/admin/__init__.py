"""The console's pages of the queue side. Django finds them by importing this package."""

from consumers.admin import rejected

__all__ = ["rejected"]
