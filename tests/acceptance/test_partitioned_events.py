"""order_events becomes a partitioned table while orders come, and everything goes on with it."""

from __future__ import annotations

import subprocess

import psycopg
import pytest

from order_entry_project.config import BASE_DIR
from order_entry_project.embedded.postgres import binary
from tests.acceptance.system import system
from tests.builders import body
from tests.servers.postgres import USER
from tests.waiting import wait_until

pytestmark = pytest.mark.long

_SCRIPT = BASE_DIR / "deploy" / "postgresql" / "partition_order_events.sql"


def test_events_are_partitioned_while_orders_come(database, tmp_path):
    with system(database, tmp_path) as made:
        made.publish(*[(f"m-{number}", body(f"ORD-{number}")) for number in range(300)])
        made.start("consume_orders")
        wait_until(lambda: made.rows("SELECT 1 FROM orders LIMIT 1"), what="orders come")

        psql = [binary("psql"), f"--host={database.host}", f"--username={USER}", "--quiet", "--no-psqlrc"]
        subprocess.run([*psql, f"--file={_SCRIPT}", database.name], check=True, timeout=60)

        made.publish(*[(f"m-{number}", body(f"ORD-{number}")) for number in range(300, 400)])
        wait_until(lambda: made.statuses() == {"ROUTED": 400}, what="all orders are routed")
        made.manage("verify_audit")
        assert made.rows("SELECT count(*) FROM order_events") == [(800,)]
        ((partitions,),) = made.rows("SELECT count(DISTINCT tableoid) FROM order_events")
        assert partitions > 10
        with made.database.connect() as connection, pytest.raises(psycopg.Error, match="order_events"):
            connection.execute("DELETE FROM order_events")
