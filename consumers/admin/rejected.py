"""The console's pages of messages that could not be taken."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.defaultfilters import truncatechars
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from consumers import body_lines, rejected, token
from consumers.admin.deciding import DISCARD, REPLAY, Decision, decide
from consumers.admin.filters import FaultFilter, QueueFilter, StateFilter
from consumers.admin.mending import mend
from consumers.admin.runs import selecting
from consumers.models import RejectedMessage
from consumers.rejected import Group, Selection
from orders.admin.filters import DaysFilter
from orders.admin.read_only import ReadOnlyAdmin, Table
from orders.models import AuditEntry

_CHANGELIST = "admin:consumers_rejectedmessage_changelist"


@admin.register(RejectedMessage)
class RejectedMessageAdmin(ReadOnlyAdmin):
    list_display = (
        "message_id",
        "reason",
        "short_error",
        "order_id",
        "queue",
        "attempts",
        "rejected_at",
        "state",
    )
    list_filter = (StateFilter, "reason", QueueFilter, FaultFilter, ("rejected_at", DaysFilter))
    # As the index has them.
    sortable_by = ()
    search_fields = ("message_id__startswith", "order_id__startswith")
    search_help_text = "The beginning of a message id or an order id"
    list_before_template = "admin/consumers/rejectedmessage/groups.html"
    fields = (
        ("message_id", "queue"),
        ("reason", "attempts"),
        "error",
        "readable_body",
        ("order_id", "rejected_at"),
        ("content_type", "readable_headers"),
        ("state", "decided_by", "decided_at"),
        ("decision_reason", "replayed_as"),
    )
    readonly_fields = ("readable_headers", "readable_body")
    actions = ("replay", "mend", "discard")

    class Media:
        css: ClassVar = {"all": ["console/rejected.css"]}
        js = ("console/continue.js",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REPLAY.permission)

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DISCARD.permission)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        deciding = [
            path(
                f"{decision.name}/",
                wrap(partial(decide, self, decision=decision)),
                name=f"consumers_rejectedmessage_{decision.name}",
            )
            for decision in (REPLAY, DISCARD)
        ]
        mending = path("<int:pk>/mend/", wrap(partial(mend, self)), name="consumers_rejectedmessage_mend")
        return [*deciding, mending, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedMessage]:
        """Without bodies, which may be large: the list does not show them."""
        return super().get_queryset(request).defer("body", "headers")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """With what waits in groups, where the list is not narrowed down."""
        may = {"replay": self.has_replay_permission(request), "discard": self.has_discard_permission(request)}
        groups = [] if request.GET else [_linked(group) for group in rejected.groups()]
        return super().changelist_view(request, {"groups": groups, "may": may} | (extra_context or {}))

    @admin.action(description="Replay…", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> HttpResponseBase | None:
        return self._decide_on(request, queryset, REPLAY)

    @admin.action(description="Discard…", permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> HttpResponseBase | None:
        return self._decide_on(request, queryset, DISCARD)

    @admin.action(description="Mend and replay…", permissions=["replay"])
    def mend(self, request: HttpRequest, queryset: QuerySet[RejectedMessage]) -> HttpResponseBase | None:
        ids = list(queryset.values_list("pk", flat=True)[:2])
        if len(ids) != 1:
            self.message_user(request, "Messages are mended one at a time: choose one.", messages.ERROR)
            return None
        return HttpResponseRedirect(reverse("admin:consumers_rejectedmessage_mend", args=ids))

    def _decide_on(
        self, request: HttpRequest, queryset: QuerySet[RejectedMessage], decision: Decision
    ) -> HttpResponseBase | None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: self.list_max_show_all + 1])
        if len(ids) > self.list_max_show_all:
            self.message_user(
                request,
                f"Choose at most {self.list_max_show_all} at once, or one of the groups above the whole list.",
                messages.ERROR,
            )
            return None
        return HttpResponseRedirect(_address(decision, Selection(ids=tuple(ids))))

    def tables(self, obj: RejectedMessage) -> list[Table]:
        entries = AuditEntry.objects.filter(subject=rejected.subject(obj.pk)).order_by("id")
        rows = [
            (entry.at, entry.actor, entry.action, entry.detail.get("reason", ""), _sent(entry))
            for entry in entries
        ]
        return [Table("What people did", ("When", "Who", "What", "Why", "Sent"), rows)]

    @admin.display(description="error")
    def short_error(self, message: RejectedMessage) -> str:
        return truncatechars(message.error, 60)

    @admin.display(description="headers")
    def readable_headers(self, message: RejectedMessage) -> str:
        """Without the token, which whoever reads on could send again."""
        headers = dict(message.headers)
        if token.HEADER in headers:  # compares no guess: the name of a header
            headers[token.HEADER] = token.discreet(headers[token.HEADER])
        return json.dumps(headers, ensure_ascii=False)

    @admin.display(description="body")
    def readable_body(self, message: RejectedMessage) -> Any:
        body = bytes(message.body)
        lines = body_lines.shown(body, message.content_type, fault=message.fault)
        return format_html(
            '{} bytes<div class="console-body" tabindex="0" role="region" aria-label="Body"><pre>{}</pre></div>',
            f"{len(body):,}",
            format_html_join("\n", "{}", ((_line(line, message.error),) for line in lines)),
        )


def _line(line: body_lines.Line, error: str) -> Any:
    if not line.at_fault:
        return line.text
    return format_html('<mark title="{}">{}</mark>', truncatechars(error, 200), line.text)


def _sent(entry: AuditEntry) -> Any:
    """As which id, and what, where it was not what came."""
    detail = entry.detail
    if "body" not in detail:
        return detail.get("as", "")
    return format_html("{}<pre>{}</pre>", detail.get("as", ""), detail["body"])


def _address(decision: Decision, selection: Selection) -> str:
    query = urlencode(selecting(selection))
    return reverse(f"admin:consumers_rejectedmessage_{decision.name}") + (f"?{query}" if query else "")


def _linked(group: Group) -> dict[str, Any]:
    """A group with what can be done with it."""
    selection = Selection(reason=group.reason, queue=group.queue, fault=group.fault)
    listed = {"reason__exact": group.reason, "queue": group.queue, "fault": group.fault or "-"}
    return {
        "group": group,
        "count": group.counted,
        "listed": reverse(_CHANGELIST) + "?" + urlencode(listed),
        "replay": _address(REPLAY, selection),
        "discard": _address(DISCARD, selection),
    }
