"""The table of a list page: what a column says is looked up once for all rows, not for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django import template
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_list import result_headers
from django.contrib.admin.utils import display_for_field, display_for_value
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, ForeignKey
from django.utils.text import capfirst

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

register = template.Library()

_CHECKBOX = "action_checkbox"
_NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """`direction`: how the list is sorted by it, as `aria-sort` says it; `sort_by`: the link that sorts by it."""

    name: str
    label: str
    direction: str
    sort_by: str
    show: Callable[[Any], Any]


@dataclass(frozen=True)
class Row:
    """`cells`: of each column its name, its label and what stands there; the first leads to `link`."""

    key: str
    link: str
    cells: Sequence[tuple[str, str, Any]]


@register.inclusion_tag("console/rows.html")
def console_rows(cl: ChangeList) -> dict[str, Any]:
    """`columns` and `rows`; `checkbox`: the name of each row's, where rows can be chosen."""
    names = [str(name) for name in cl.list_display]
    columns = [
        _column(cl, name, header)
        for name, header in zip(names, result_headers(cl), strict=True)
        if name != _CHECKBOX
    ]
    return {
        "cl": cl,
        "columns": columns,
        "rows": list(_rows(cl, columns)),
        "checkbox": ACTION_CHECKBOX_NAME if _CHECKBOX in names else None,
    }


def _rows(cl: ChangeList, columns: Sequence[Column]) -> Iterator[Row]:
    # A page of a row leads back to the list as it was.
    back = f"?{cl.preserved_filters}" if cl.preserved_filters else ""
    for row in cl.result_list:
        cells = [(column.name, column.label, column.show(row)) for column in columns]
        yield Row(str(row.pk), cl.url_for_result(row) + back, cells)


def _column(cl: ChangeList, name: str, header: dict[str, Any]) -> Column:
    direction = ""
    if header.get("sorted") and header["sort_priority"] == 1:
        direction = "ascending" if header["ascending"] else "descending"
    sort_by = header["url_primary"] if header["sortable"] else ""
    return Column(name, capfirst(header["text"]), direction, sort_by, _shower(cl, name))


def _shower(cl: ChangeList, name: str) -> Callable[[Any], Any]:
    try:
        field = cl.lookup_opts.get_field(name)
    except FieldDoesNotExist:
        described = getattr(cl.model_admin, name)
        return partial(_described, described, getattr(described, "boolean", False))
    assert isinstance(field, Field)  # noqa: S101 - no list has a reverse relation for a column
    return partial(_related, field) if isinstance(field, ForeignKey) else partial(_stored, field)


def _described(describe: Callable[[Any], Any], is_boolean: bool, row: Any) -> Any:
    return display_for_value(describe(row), _NOTHING, is_boolean)


def _related(field: ForeignKey[Any], row: Any) -> Any:
    found = getattr(row, field.name)
    return _NOTHING if found is None else found


def _stored(field: Field[Any, Any], row: Any) -> Any:
    return display_for_field(getattr(row, field.attname), field, _NOTHING)
