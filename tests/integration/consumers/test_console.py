"""The console's pages of rejected messages, as its users see them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consumers import rejected, replay
from consumers.models import QueueMessage, RejectedMessage
from consumers.token import HEADER
from consumers.transport import QueueUnavailable
from orders.models import AuditEntry
from tests.book_rows import order_in_book
from tests.builders import body
from tests.people import person

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/consumers/rejectedmessage/"
QUEUE = "TRADE.VALIDATED.ORDERS"


@pytest.fixture
def viewer():
    return person("anna", "view_rejectedmessage")


@pytest.fixture
def supervisor():
    return person("anna", "view_rejectedmessage", "replay_rejectedmessage", "discard_rejectedmessage")


def row(message_id: str = "m-1", content: bytes | None = None, **fields: Any) -> RejectedMessage:
    content = body(price=-1) if content is None else content
    made = {
        "queue": QUEUE,
        "message_id": message_id,
        "body": content,
        "body_hash": sha256(content).digest(),
        "content_type": "application/json",
        "headers": {},
        "order_id": "ORD-1",
        "reason": "BAD_VALUE",
        "fault": "price",
        "error": "price is -1; expected a JSON number above 0",
    }
    return RejectedMessage.objects.create(**(made | fields))


def text(response: Any) -> str:
    assert response.status_code == 200, response
    page = re.sub(r"<script.*?</script>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def listed(client: Client, query: str = "") -> set[str]:
    page = client.get(f"{PAGE}?{query}")
    assert page.status_code == 200
    return set(re.findall(rf'<a href="{PAGE}\d+/change/[^"]*"[^>]*>\s*([^<\s]+)', page.content.decode()))


def states() -> set[tuple[str, str]]:
    return set(RejectedMessage.objects.values_list("message_id", "state"))


class TestTheList:
    def test_what_waits_stands_in_groups_with_what_can_be_done(self, supervisor):
        row("m-1")
        row("m-2")
        row("m-3", b"{", reason="UNREADABLE", fault="")
        row("m-4", state="DISCARDED", decided_by="x", decided_at="2026-01-01T00:00Z", reason="POISON")
        page = supervisor.get(PAGE)
        shown = text(page)
        assert re.search(
            r"1 Unreadable the whole TRADE.VALIDATED.ORDERS .* Replay… Discard… 2 Bad Value price", shown
        )
        assert "Poison the whole" not in shown
        for link in re.findall(r'href="([^"]*rejected_for=[^"]*)"', page.content.decode()):
            assert supervisor.get(link.replace("&amp;", "&")).status_code == 200
        (link,) = re.findall(r'href="([^"]*)" aria-label="List 2: ', page.content.decode())
        assert listed(supervisor, link.partition("?")[2].replace("&amp;", "&")) == {"m-1", "m-2"}

    def test_filters_and_search_find_messages(self, viewer):
        row("m-1")
        row("n-2", b"{", reason="UNREADABLE", fault="", order_id=None)
        row("n-3", queue="OTHER", state="DISCARDED", decided_by="x", decided_at="2026-01-01T00:00Z")
        for query, expected in (
            ("", {"m-1", "n-2"}),
            ("state=DISCARDED", {"n-3"}),
            ("state=ANY", {"m-1", "n-2", "n-3"}),
            ("reason__exact=UNREADABLE", {"n-2"}),
            ("fault=price", {"m-1"}),
            ("fault=-", {"n-2"}),
            ("queue=OTHER&state=ANY", {"n-3"}),
            ("q=n-", {"n-2", "n-3"}),
            ("q=ORD-1", {"m-1", "n-3"}),
            ("q=1", set()),
        ):
            assert listed(viewer, query) == expected, query

    def test_it_costs_the_same_however_many_wait(self, supervisor):
        row("m-0")
        with CaptureQueriesContext(connection) as few:
            supervisor.get(PAGE)
        for number in range(1, 20):
            row(f"m-{number}", fault=f"f{number}")
        with CaptureQueriesContext(connection) as many:
            supervisor.get(PAGE)
        assert len(many) == len(few)

    def test_a_viewer_is_offered_nothing_and_may_do_nothing(self, viewer):
        message = row()
        page = text(viewer.get(PAGE)) + text(viewer.get(f"{PAGE}{message.pk}/change/"))
        assert "Replay…" not in page
        assert "Discard…" not in page
        for path in ("replay/", "discard/", f"{message.pk}/mend/"):
            assert viewer.get(PAGE + path).status_code == 403
            assert viewer.post(PAGE + path, {"decided": "yes", "reason": "r"}).status_code == 403
        assert states() == {("m-1", "WAITING")}


class TestOneMessage:
    def test_its_body_is_laid_out_with_the_fault_marked_and_its_token_kept_quiet(self, viewer):
        token = "t=1,kid=a,v1=" + "ab" * 32
        message = row(content=body(price=-1, note="<script>"), headers={HEADER: token, "x": "<b>"})
        page = viewer.get(f"{PAGE}{message.pk}/change/").content.decode()
        assert "&quot;price&quot;: -1,</mark>" in page
        assert "&lt;script&gt;" in page
        assert "<script>&quot;" not in page
        assert "v1=…" in page
        assert "abab" not in page

    def test_what_people_did_to_it_is_told(self, supervisor):
        message = row(content=body(price="145.5"))
        replay.replay_edited(message.pk, body(), reason="a text, not a number", actor="bob")
        page = text(supervisor.get(f"{PAGE}{message.pk}/change/"))
        assert "What people did" in page
        assert "bob rejected.replay a text, not a number edited:" in page
        assert "&quot;price&quot;: 145.5" in page


def decide(client: Client, path: str, **fields: Any) -> Any:
    return client.post(PAGE + path, {"decided": "yes", "reason": "the sender is mended", **fields})


class TestReplaying:
    def test_chosen_messages_are_shown_and_sent_when_it_is_said_why(self, supervisor):
        chosen = [row("m-1"), row("m-2")]
        row("m-3")
        asked = supervisor.post(
            PAGE, {"action": "replay", "_selected_action": [message.pk for message in chosen]}, follow=True
        )
        shown = text(asked)
        assert "Replay 2 messages" in shown
        assert "m-1" in shown
        assert "m-3" not in shown
        ids = [message.pk for message in chosen]
        assert "This field is required" in text(decide(supervisor, "replay/", id=ids, reason=""))
        assert QueueMessage.objects.count() == 0
        assert "2 messages are in their queues again" in text(decide(supervisor, "replay/", id=ids))
        assert states() == {("m-1", "REPLAYED"), ("m-2", "REPLAYED"), ("m-3", "WAITING")}
        assert set(
            AuditEntry.objects.filter(action__startswith="rejected").values_list("actor", flat=True)
        ) == {"anna"}
        assert "None of these messages waits" in text(
            supervisor.get(f"{PAGE}replay/?id={ids[0]}&id={ids[1]}")
        )

    def test_a_group_is_sent_step_by_step_each_going_on_by_itself(self, supervisor, monkeypatch):
        monkeypatch.setattr(rejected, "_STEP", 2)
        for number in range(5):
            row(f"m-{number}")
        row("other", reason="CONFLICT", fault="")
        sizes = []
        fields: dict[str, str] = {"rejected_for": "BAD_VALUE", "queue": QUEUE, "fault": "price"}
        for _ in range(3):
            page = decide(supervisor, "replay/", **fields)
            sizes.append(QueueMessage.objects.count())
            html = page.content.decode()
            going_on = "data-continue" in html
            assert going_on == ("console/continue.js" in html)
            fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
            fields.pop("csrfmiddlewaretoken", None)
        assert not going_on
        assert sizes == [2, 4, 5]
        assert "5 messages are in their queues again" in text(page)
        assert ("other", "WAITING") in states()

    def test_without_the_broker_it_is_said_and_nothing_is_changed(self, supervisor, monkeypatch):
        row()

        def away(*_: Any) -> Any:
            raise QueueUnavailable("Connection refused")

        monkeypatch.setattr(replay, "send", away)
        shown = text(decide(supervisor, "replay/"))
        assert "It stopped: TRADE.VALIDATED.ORDERS cannot be reached: Connection refused" in shown
        assert "Try again" in shown
        assert states() == {("m-1", "WAITING")}

    def test_what_was_not_sent_is_named(self, supervisor, monkeypatch):
        row()
        monkeypatch.setattr(replay, "send", lambda *_: [replay.Outcome.RETURNED])
        shown = text(decide(supervisor, "replay/"))
        assert "1 still waits" in shown
        assert "m-1 : there is no queue TRADE.VALIDATED.ORDERS" in shown

    @pytest.mark.parametrize(
        "query", ["id=x", "rejected_for=BORING", "after=-1", "until=soon", "until=2026-01-01", "queue=%00"]
    )
    def test_an_address_that_no_page_has_is_refused(self, supervisor, query):
        assert supervisor.get(f"{PAGE}replay/?{query}").status_code == 400


class TestDiscarding:
    def test_messages_are_discarded_with_a_reason_and_kept(self, supervisor):
        message = row()
        assert "Discard 1 message" in text(supervisor.get(f"{PAGE}discard/?id={message.pk}"))
        assert "1 message is discarded" in text(decide(supervisor, "discard/", id=message.pk))
        assert states() == {("m-1", "DISCARDED")}
        assert AuditEntry.objects.filter(action__startswith="rejected").get().action == "rejected.discard"

    def test_who_may_replay_may_not_discard(self):
        client = person("anna", "view_rejectedmessage", "replay_rejectedmessage")
        message = row()
        assert decide(client, "discard/", id=message.pk).status_code == 403
        assert "Discard…" not in text(client.get(PAGE))


class TestMending:
    def test_what_would_become_of_it_is_said_before_it_is_sent(self, supervisor):
        message = row(content=body(price="145.5"))
        path = f"{PAGE}{message.pk}/mend/"
        assert "&quot;price&quot;: &quot;145.5&quot;" in supervisor.get(path).content.decode()
        refused = supervisor.post(path, {"check": "yes", "body": body(price=-2).decode()})
        assert "It would be rejected again price is -2; expected" in text(refused)
        assert "<mark>  &quot;price&quot;: -2,</mark>" in refused.content.decode()
        assert 'name="send"' not in refused.content.decode()
        good = {"body": body().decode()}
        checked = supervisor.post(path, {"check": "yes", **good})
        assert "It would be taken Order ORD-1 Symbol AAPL Side BUY Quantity 100 Price 145.50" in text(checked)
        assert "This field is required" not in text(checked)
        assert "This field is required" in text(supervisor.post(path, {"send": "yes", **good}))
        assert QueueMessage.objects.count() == 0

        sent = supervisor.post(path, {"send": "yes", "reason": "a number", **good}, follow=True)
        assert "The mended message is in TRADE.VALIDATED.ORDERS as edited:" in text(sent)
        assert bytes(QueueMessage.objects.get().body) == body()
        message.refresh_from_db()
        assert bytes(message.body) == body(price="145.5")
        assert message.state == "REPLAYED"
        assert "It does not wait any more: it is replayed" in text(supervisor.get(path))

    def test_a_body_that_would_be_rejected_is_not_sent_even_if_asked_for(self, supervisor):
        message = row()
        order_in_book("ORD-1")
        fields = {"send": "yes", "reason": "r", "body": body().decode()}
        assert "Not sent: it would be rejected again: order ORD-1 is in the book with other content" in text(
            supervisor.post(f"{PAGE}{message.pk}/mend/", fields)
        )
        assert states() == {("m-1", "WAITING")}
        assert "This field is required" in text(
            supervisor.post(f"{PAGE}{message.pk}/mend/", {"check": "yes"})
        )

    def test_messages_are_mended_one_at_a_time(self, supervisor):
        chosen = [row("m-1").pk, row("m-2").pk]
        answer = supervisor.post(PAGE, {"action": "mend", "_selected_action": chosen}, follow=True)
        assert "choose one" in text(answer)
        answer = supervisor.post(PAGE, {"action": "mend", "_selected_action": chosen[:1]})
        assert answer["Location"] == f"{PAGE}{chosen[0]}/mend/"
        assert supervisor.get(f"{PAGE}999/mend/").status_code == 404
