"""Pages of long lists, without counting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from orders.bounded import TooSlow, bounded

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.views import ChangeList


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anyone turns pages, and no longer than a page may take.

    Where that is too short a time, only that there are rows on `ahead`, some pages further on, is known.
    """

    MOST = 10_000
    MILLISECONDS = 60
    ahead = 3

    def __init__(self, rows: QuerySet, per_page: int, *, page: int = 1) -> None:  # type: ignore[type-arg]
        super().__init__(rows, per_page)
        self._page = page

    @cached_property
    def count(self) -> int:
        try:
            with bounded(self.MILLISECONDS):
                return self._counted(self.MOST)
        except TooSlow:
            return self._counted(min(self.MOST, (self._page + self.ahead) * self.per_page))

    @cached_property
    def is_open(self) -> bool:
        """Whether there may be more than `count`."""
        return self.count >= self.MOST or self.count == (self._page + self.ahead) * self.per_page

    def _counted(self, most: int) -> int:
        rows = self.object_list
        # In their order: by an index that serves it, the first are found without looking at all.
        return rows[:most].count() if isinstance(rows, QuerySet) else len(rows)


class UncountedList(ChangeList):
    """Does not set the number of rows against that of the whole table."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


def page_asked_for(request: HttpRequest) -> int:
    text = request.GET.get("p", "1")
    return int(text) if text.isascii() and text.isdecimal() else 1
