"""Pages of long lists, without counting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
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

    Where that is too short a time, only the rows of the page are asked for, and one more: is there a next page?
    """

    MOST = 10_000
    MILLISECONDS = 40

    def __init__(self, rows: QuerySet, per_page: int, *, page: int = 1) -> None:  # type: ignore[type-arg]
        super().__init__(rows, per_page)
        self._page = page
        self._shown: list[Any] | None = None

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        try:
            with bounded(self.MILLISECONDS):
                # In their order: by an index that serves it, the first are found without looking at all.
                return self.object_list[: self.MOST].count()
        except TooSlow:
            before = (self._page - 1) * self.per_page
            self._shown = list(self.object_list[before : before + self.per_page + 1])
            return before + len(self._shown)

    @cached_property
    def is_open(self) -> bool:
        """Whether there may be more than `count`."""
        if self._shown is not None:
            return len(self._shown) > self.per_page
        return self.count >= self.MOST

    def page(self, number: int | str) -> Page:  # type: ignore[type-arg]
        """The rows that have been asked for already are not asked for again."""
        number = self.validate_number(number)
        if self._shown is not None and number == self._page:
            return Page(self._shown[: self.per_page], number, self)
        return super().page(number)


class UncountedList(ChangeList):
    """Does not set the number of rows against that of the whole table."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


def page_asked_for(request: HttpRequest) -> int:
    text = request.GET.get("p", "1")
    return int(text) if text.isascii() and text.isdecimal() else 1
