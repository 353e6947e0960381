"""The page on which a person mends a rejected message: checked before it is sent, sent in the place of what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

from consumers import body_lines
from consumers.admin.deciding import REPLAY
from consumers.admin.forms import EditForm
from consumers.models import RejectedMessage, State
from consumers.rejected import Refused
from consumers.replay import JSON, Examined, examine, replay_edited
from orders import documents

if TYPE_CHECKING:
    from orders.admin.read_only import ReadOnlyAdmin
    from orders.schema import ValidatedOrder


def mend(admin: ReadOnlyAdmin, request: HttpRequest, pk: int) -> HttpResponseBase:
    """Say what would become of the body as it is typed; with "send", send it if it would be taken."""
    if not request.user.has_perm(REPLAY.permission):
        raise PermissionDenied
    row = RejectedMessage.objects.filter(pk=pk).first()
    if row is None:
        raise Http404
    if request.method != "POST":
        form = EditForm(initial={"body": body_lines.editable(bytes(row.body), row.content_type)})
        return _page(admin, request, row, form)
    form = EditForm(request.POST)
    # Whether it would be taken is said before a reason is given.
    form.full_clean()
    examined = examine(form.sent, JSON) if "body" in form.cleaned_data else None
    if "send" in request.POST and form.is_valid() and _sent(request, row, form):
        return HttpResponseRedirect(reverse("admin:consumers_rejectedmessage_change", args=[pk]))
    if "send" not in request.POST:
        form.errors.pop("reason", None)
    return _page(admin, request, row, form, examined)


def _sent(request: HttpRequest, row: RejectedMessage, form: EditForm) -> bool:
    actor = request.user.get_username()
    try:
        sent_as = replay_edited(row.pk, form.sent, reason=form.cleaned_data["reason"], actor=actor)
    except Refused as refusal:
        form.add_error(None, f"Not sent: {refusal}.")
        return False
    messages.success(request, f"The mended message is in {row.queue} as {sent_as}.")
    return True


def _page(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    row: RejectedMessage,
    form: EditForm,
    examined: Examined | None = None,
) -> TemplateResponse:
    context: dict[str, Any] = {
        **admin.admin_site.each_context(request),
        "title": "Mend a rejected message",
        "opts": admin.opts,
        "media": admin.media,
        "row": row,
        "waits": row.state == State.WAITING,
        "form": form,
        "examined": examined,
    }
    if examined:
        context["lines"] = body_lines.shown(form.sent, JSON, fault=examined.fault) if examined.error else []
        context["order"] = _order(examined.order) if examined.order and not examined.error else []
    return TemplateResponse(request, "admin/consumers/rejectedmessage/mend.html", context)


def _order(order: ValidatedOrder) -> list[tuple[str, str]]:
    """What the message says, as it is understood."""
    return [
        ("Order", order.order_id),
        ("Symbol", order.symbol),
        ("Side", order.side),
        ("Quantity", documents.quantity_text(order.quantity)),
        ("Price", documents.price_text(order.price)),
        ("Counterparty", order.counterparty or "none"),
        ("Created", documents.time_text(order.created_at)),
        ("Other fields", order.extra),
    ]
