"""Pages on which a person replays or discards rejected messages: first what it will be, then what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse

from consumers import rejected
from consumers.admin import runs
from consumers.admin.runs import Run
from consumers.rejected import MOST_COUNTED, Decide, Refused, discard
from consumers.replay import replay
from orders.admin.forms import ReasonForm

if TYPE_CHECKING:
    from orders.admin.read_only import ReadOnlyAdmin

_FIRST = 20


@dataclass(frozen=True)
class Decision:
    """`verb` and `done` as in "Replay 3 messages", "3 messages are in their queues again"."""

    name: str
    verb: str
    done: str
    explained: str
    decide: Callable[..., Decide]

    @property
    def permission(self) -> str:
        return f"consumers.{self.name}_rejectedmessage"


REPLAY = Decision(
    "replay",
    "Replay",
    "in their queues again",
    "Each is sent as it came into the queue it came from, and taken like any other message: an order that is in the "
    "book already is not entered twice, and what is still wrong comes back here.",
    replay,
)
DISCARD = Decision(
    "discard",
    "Discard",
    "discarded",
    "They are kept, with your reason, and no longer wait for anyone. One that comes again waits again.",
    discard,
)


def decide(admin: ReadOnlyAdmin, request: HttpRequest, decision: Decision) -> TemplateResponse:
    """Ask why, then decide, one step a request."""
    if not request.user.has_perm(decision.permission):
        raise PermissionDenied
    run = runs.read(request.POST if request.method == "POST" else request.GET)
    form = ReasonForm(request.POST if "decided" in request.POST else None)
    if form.is_valid():
        return _step(admin, request, decision, run, form.cleaned_data["reason"])
    count = run.selection.count()
    return _page(
        admin,
        request,
        decision,
        "ask",
        form=form,
        count=count,
        counted=f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}",
        groups=rejected.groups(run.selection),
        first=run.selection.rows().defer("body", "headers").order_by("pk")[:_FIRST],
        fields=runs.selecting(run.selection),
    )


def _step(
    admin: ReadOnlyAdmin, request: HttpRequest, decision: Decision, run: Run, reason: str
) -> TemplateResponse:
    refusal = ""
    try:
        decider = decision.decide(reason=reason, actor=request.user.get_username())
        rejected.step(run.selection, run.progress, decider)
    except Refused as error:
        refusal = str(error)
    left = 0 if run.progress.finished else run.selection.count()
    return _page(
        admin,
        request,
        decision,
        "step",
        run=run,
        reason=reason,
        refusal=refusal,
        failed=run.failed + len(run.progress.failures),
        left=left,
        total=run.progress.done + left,
    )


def _page(
    admin: ReadOnlyAdmin, request: HttpRequest, decision: Decision, name: str, **context: Any
) -> TemplateResponse:
    return TemplateResponse(
        request,
        f"admin/consumers/rejectedmessage/{name}.html",
        {
            **admin.admin_site.each_context(request),
            "title": f"{decision.verb} rejected messages",
            "opts": admin.opts,
            "media": admin.media,
            "decision": decision,
            **context,
        },
    )
