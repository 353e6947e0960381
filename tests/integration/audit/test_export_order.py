"""An order's evidence is checked by whoever has Python, and what was changed in it does not fit."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from consumers.models import RejectedMessage
from orders import evidence
from orders.merkle import Tree
from orders.models import AuditEntry
from tests.integration.audit.histories import anchored, rewrite, routed
from tests.runbook import run

pytestmark = pytest.mark.django_db(transaction=True)


def check(script: Any, bundle: Any) -> tuple[int, str]:
    """By a Python that knows nothing of this project, from another folder."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(bundle)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_bundle_proves_itself_to_a_bare_python_and_is_on_record(tmp_path):
    routed(*(f"ORD-{number:03}" for number in range(21)))
    first = anchored()
    # The sender gave this one no time, and it bears two anchors.
    rewrite(
        "UPDATE orders SET needs_review = false, version = 4, review_reason = '' WHERE order_id = 'ORD-010'"
    )
    rewrite(
        "SET LOCAL session_replication_role = origin",
        "INSERT INTO order_events (order_id, sequence, event, actor) VALUES ('ORD-010', 4, 'REVIEW_CLEARED', 'ann')",
    )
    second = anchored()
    RejectedMessage.objects.create(
        queue="q",
        message_id="m",
        body=b"\xff",
        body_hash=bytes(32),
        order_id="ORD-010",
        reason="CONFLICT",
        error="?",
    )
    file = tmp_path / "bundle.json"
    answer = run(
        "export_order", "ORD-010", "--output", str(file), "--user", "ann", "--reason", "the regulator asks"
    )
    assert answer.code == 0, answer
    code, said = check(tmp_path / "check_evidence.py", file)
    assert (code, "4 events fit each other" in said, "Under an anchor: 4" in said) == (0, True, True), said
    for anchor in (first, second):
        assert bytes(anchor.hash).hex() in said
    held = json.loads(file.read_text())
    assert [route["outcome"] for route in held["routes"]] == ["ACCEPTED"]
    assert [message["body"] for message in held["rejected_messages"]] == ["/w=="]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.detail["reason"]) == (
        "evidence.export",
        "ORD-010",
        "the regulator asks",
    )
    assert "File exists" in run("export_order", "ORD-010", "--output", str(file)).errors


def test_a_bundle_of_an_order_that_is_not_there_is_refused(tmp_path):
    assert "no order ORD-1" in run("export_order", "ORD-1", "--output", str(tmp_path / "x")).errors


def _put(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(bundle: Any) -> None:
        *way, last = path
        for step in way:
            bundle = bundle[step]
        bundle[last] = to

    return change


CHANGES: dict[str, Callable[[Any], Any]] = {
    "another format": _put("format", to="2"),
    "another price": _put("order", "price", to="1.00000000"),
    "other content": _put("order", "content", to="[]"),
    "another symbol in both": lambda bundle: bundle["order"].update(
        symbol="MSFT", content=bundle["order"]["content"].replace("AAPL", "MSFT")
    ),
    "another actor": _put("events", 1, "actor", to="nobody"),
    "another time": _put("events", 1, "at", to="2026-01-01T00:00:00.000000Z"),
    "another hash": _put("events", 2, "hash", to="00" * 32),
    "no last event": lambda bundle: bundle["events"].pop(),
    "no last event, and the order agrees": lambda bundle: (
        bundle["events"].pop(),
        bundle["order"].update(version=2),
    ),
    "no first event": lambda bundle: bundle["events"].pop(0),
    "two events exchanged": lambda bundle: bundle["events"].reverse(),
    "another root": _put("anchors", 0, "root", to="00" * 32),
    "another proof": _put("anchors", 0, "proof", 0, "hash", to="00" * 32),
    "another anchor": _put("anchors", 0, "made_by", to="nobody"),
    "no hash at all": _put("events", 0, "hash", to=None),
    "no events": lambda bundle: bundle.pop("events"),
}


def test_whatever_is_changed_in_a_bundle_no_longer_fits(tmp_path, capsys):
    routed("ORD-1", "ORD-2")
    anchored()
    file = tmp_path / "bundle.json"
    run("export_order", "ORD-1", "--output", str(file))
    whole = json.loads(file.read_text())
    assert evidence.main(str(file)) == 0
    for what, change in CHANGES.items():
        changed = copy.deepcopy(whole)
        change(changed)
        file.write_text(json.dumps(changed))
        assert (evidence.main(str(file)), "WRONG" in capsys.readouterr().out) == (1, True), what


@pytest.mark.parametrize("leaves", [*range(1, 9), 31, 33])
def test_each_leaf_of_a_tree_of_any_size_leads_to_its_root(leaves):
    heads = [bytes([number]) * 32 for number in range(leaves)]

    def root_of(heads: list[bytes]) -> bytes:
        """As RFC 6962 puts it."""
        if len(heads) == 1:
            return evidence.leaf(heads[0])
        half = 1 << (len(heads) - 1).bit_length() - 1
        return evidence.node(root_of(heads[:half]), root_of(heads[half:]))

    for watched in heads:
        tree = Tree()
        for head in heads:
            tree.add(head, watched=head == watched)
        assert tree.root() == root_of(heads)
        reached = evidence.leaf(watched)
        for side, beside in tree.proof:
            reached = evidence.node(beside, reached) if side == "left" else evidence.node(reached, beside)
        assert reached == root_of(heads)
