"""Passwords that change under load, in Safeguard and in PostgreSQL, without a restart and without an order's loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
import requests

from order_entry_project.embedded.postgres import binary
from tests.acceptance.system import System, system
from tests.acceptance.test_web import web
from tests.builders import body
from tests.doubles.safeguard import Appliance
from tests.doubles.safeguard.appliance import Account
from tests.servers.postgres import Role
from tests.waiting import wait_until

FIRST, SECOND, THIRD = "first-canary-1", "second-canary-2", "third-canary-3"


@dataclass
class Vaulted:
    """A system whose database login comes from Safeguard."""

    system: System
    safeguard: Appliance
    account: Account
    role: Role

    def rotate(self, password: str) -> None:
        """As Safeguard does it: in the database, then in the vault; what was logged in is thrown out."""
        self.role.change_password(password)
        self.account.password = password
        self.role.disconnect()

    def publish(self, prefix: str, count: int) -> None:
        self.system.publish(*[(f"m-{prefix}-{n}", body(f"{prefix}-{n}")) for n in range(count)])

    def await_routed(self, count: int) -> None:
        wait_until(lambda: self.system.statuses() == {"ROUTED": count}, what=f"{count} orders are ROUTED")

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.system.folder.rglob("*.log"))


@contextmanager
def vaulted(database, folder, **settings: str) -> Iterator[Vaulted]:
    (folder / "logs").mkdir()
    with ExitStack() as stack:
        safeguard = stack.enter_context(Appliance(folder))
        role = stack.enter_context(database.role(FIRST))
        account = safeguard.add(role.name, FIRST)
        named = {name.removeprefix("ORDER_ENTRY__"): value for name, value in safeguard.env.items()}
        named |= {"DATABASE__SQL_USER": "null", "LOGS__FOLDER": str(folder / "logs")}
        yield Vaulted(
            stack.enter_context(system(database, folder, **named | settings)), safeguard, account, role
        )


def test_a_password_that_changes_under_load_costs_no_order_and_asks_safeguard_once_a_process(
    database, tmp_path
):
    with vaulted(database, tmp_path) as here:
        here.system.start("consume_orders", "--processes", "2")
        here.publish("before", 200)
        here.await_routed(200)
        assert len(here.safeguard.asked) == 2, "each of two processes once, to begin with"
        for number in range(10):
            here.publish(f"during-{number}", 50)
            if number == 4:
                here.rotate(SECOND)
        here.publish("after", 100)
        here.await_routed(800)
        assert len(here.safeguard.asked) == 4, "and once for the change"
        assert here.system.rows("SELECT count(*) FROM rejected_messages") == [(0,)]
        assert here.system.rows("SELECT count(*) FROM orders WHERE needs_review") == [(0,)]
        assert here.system.rows("SELECT count(*) FROM order_events WHERE event = 'PENDING_ROUTE'") == [(0,)]
        logs = here.logs()
        assert "the database's login has changed, the new one is in use" in logs
        assert [secret for secret in (FIRST, SECOND, here.account.api_key) if secret in logs] == []


@pytest.mark.long
def test_while_safeguard_is_away_the_last_password_serves_and_a_new_one_is_waited_for(database, tmp_path):
    with vaulted(database, tmp_path) as here:
        here.system.start("consume_orders")
        here.publish("first", 20)
        here.await_routed(20)
        with here.safeguard.outage():
            here.role.disconnect()
            here.publish("known", 20)
            here.await_routed(40)
            here.rotate(SECOND)
            here.publish("unknown", 20)
            wait_until(lambda: "cannot be had" in here.logs(), what="it says that Safeguard gives nothing")
            assert here.system.statuses() == {"ROUTED": 40}
        here.await_routed(60)
        assert here.system.rows("SELECT count(*) FROM rejected_messages") == [(0,)]
        assert "the last one known stays in use" in here.logs()


@pytest.mark.long
def test_a_worker_that_starts_without_safeguard_waits_for_it(database, tmp_path):
    with vaulted(database, tmp_path) as here:
        with here.safeguard.outage():
            here.system.start("consume_orders")
            here.publish("early", 20)
            wait_until(lambda: "no credentials" in here.logs(), what="it says that it has no credentials")
        here.await_routed(20)


@pytest.mark.long
@pytest.mark.parametrize("hangs_at", ["handshake", "answer"])
def test_a_safeguard_that_hangs_holds_up_nothing_but_new_connections(database, tmp_path, hangs_at):
    with vaulted(database, tmp_path, SAFEGUARD__REFRESH_INTERVAL="1s", SAFEGUARD__TIMEOUT="1s") as here:
        here.system.start("consume_orders")
        here.publish("first", 20)
        here.await_routed(20)
        here.safeguard.hangs_at = hangs_at
        wait_until(lambda: "gave no answer" in here.logs(), what="a poll has had no answer")
        here.publish("meanwhile", 20)
        here.await_routed(40)
        here.rotate(SECOND)
        here.publish("later", 20)
        here.safeguard.hangs_at = ""
        here.safeguard.released.set()
        here.await_routed(60)


@pytest.mark.long
def test_pages_are_served_through_a_rotation_and_old_log_ins_are_let_go(database, tmp_path):
    with vaulted(database, tmp_path) as here:
        here.publish("ORD", 1)
        here.system.drain()
        with web(here.system.env, tmp_path, WEB_CONCURRENCY="1") as url:

            def read() -> int:
                return requests.get(f"{url}/order/ORD-0", timeout=15).status_code

            assert [read() for _ in range(20)] == [200] * 20
            asked = len(here.safeguard.asked)
            for secret in (SECOND, THIRD):
                old = sessions(here)
                assert len(old) > 1
                here.role.change_password(secret)
                here.account.password = secret
                here.system.rows("SELECT pg_terminate_backend(%s)", min(old))
                assert [read() for _ in range(20)] == [200] * 20
                wait_until(lambda old=old: not sessions(here) & old, what="the old sessions have been let go")
                assert [read() for _ in range(20)] == [200] * 20
            assert len(here.safeguard.asked) - asked == 2, "once for each rotation"
        logs = here.logs()
        assert [secret for secret in (FIRST, SECOND, THIRD, here.account.api_key) if secret in logs] == []


def sessions(here: Vaulted) -> set[int]:
    named = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
    return {pid for (pid,) in here.system.rows(named, here.role.name)}


def test_commands_log_in_with_what_safeguard_gives(database, tmp_path):
    with vaulted(database, tmp_path) as here:
        # psql comes with the embedded server.
        here.system.env["PATH"] = f"{binary('psql').parent}:{here.system.env['PATH']}"
        shell = here.system.manage("dbshell", "--", "--tuples-only", "--command", "SELECT current_user")
        assert shell.strip() == here.role.name
        assert FIRST not in here.system.manage("diffsettings")


@pytest.mark.long
def test_a_worker_does_not_start_without_the_keys_of_tokens(database, tmp_path):
    """It would refuse every message that has one."""
    keys = tmp_path / "keys"
    with system(
        database, tmp_path, IDEMPOTENCY__CREDENTIALS_SOURCE="file", IDEMPOTENCY__TOKEN_KEYS_FILE=str(keys)
    ) as made:
        made.publish(("m-1", body("ORD-1")))
        with pytest.raises(AssertionError, match="CommandError: the token keys cannot be had from its file"):
            made.drain()
        assert made.statuses() == {}
        keys.write_text('{"2026-11": "' + "k" * 32 + '"}')
        made.drain()
        assert made.statuses() == {"ROUTED": 1}
