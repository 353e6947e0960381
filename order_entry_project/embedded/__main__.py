"""`python -m order_entry_project.embedded COMMAND …`: run a command with an empty PostgreSQL of its own."""

import os
import subprocess  # nosec: B404 - each call says what it runs
import sys
import tempfile
from pathlib import Path

from order_entry_project.embedded.postgres import EmbeddedPostgres
from order_entry_project.embedded.processes import EmbeddedError


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="order-entry-") as folder,
        EmbeddedPostgres(Path(folder) / "postgresql", settings={"fsync": "off"}) as server,
    ):
        server.create_database("empty")
        env = {
            "ORDER_ENTRY__DATABASE__SQL_HOST": str(server.socket),
            "ORDER_ENTRY__DATABASE__SQL_USER": server.user,
            "ORDER_ENTRY__DATABASE__SQL_DATABASE": "empty",
        }
        return subprocess.run(sys.argv[1:], env={**os.environ, **env}, check=False).returncode  # noqa: S603 - the caller's own


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbeddedError as error:
        sys.exit(f"{error}")
