"""`manage.py replay_rejected`."""

from __future__ import annotations

import pytest

from consumers import rejected
from orders.models import AuditEntry
from tests.builders import body
from tests.integration.consumers.rejected.steps import delivery, queued
from tests.runbook import run

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_command_says_what_waits_and_sends_it(reject):
    reject(delivery(body(price=None), "m-1"))
    reject(delivery(b"{", "m-2"))
    dry = run("replay_rejected", "--all", "--dry-run", "--json").json
    assert dry["waiting"] == 2
    assert [(group["reason"], group["count"]) for group in dry["groups"]] == [
        ("UNREADABLE", 1),
        ("MISSING_FIELD", 1),
    ]
    assert "price" in run("replay_rejected", "--fault", "price", "--dry-run").text
    assert run("replay_rejected", "--queue", "none", "--dry-run").text == "No such message waits.\n"
    assert queued() == []
    answer = run("replay_rejected", "--rejected-for", "MISSING_FIELD", "--user", "ann", "--json")
    assert answer.json == {"replayed": 1, "failed": []}
    assert [message.message_id for message in queued()] == ["m-1"]
    assert AuditEntry.objects.get().actor.startswith("ann (")
    assert run("replay_rejected", "--all").text == "1 messages are in their queues again.\n"


@pytest.mark.parametrize("arguments", [[], ["--all", "--id", "1"]])
def test_the_command_wants_to_be_told_which(arguments):
    assert run("replay_rejected", *arguments).code == 2


def test_what_is_not_sent_is_named_and_the_exit_code_says_so(reject, monkeypatch):
    reject(delivery())
    failure = rejected.Failure(7, "m-7", "the queue is full")
    monkeypatch.setattr(
        "consumers.management.commands.replay_rejected.replay", lambda **_: lambda _: [failure]
    )
    answer = run("replay_rejected", "--all")
    assert answer.code == 1
    assert "7 m-7: the queue is full" in answer.errors
    assert "1 messages were not sent and still wait." in answer.errors
