"""The web process: `gunicorn -c order_entry_project/gunicorn.conf.py`. Options on the command line win."""
# ruff: noqa: N999 - the name gunicorn's own documentation gives it

import os
import secrets
import tempfile
import threading
from typing import Any

from order_entry_project.config import load

_config = load()

wsgi_app = "order_entry_project.wsgi"
bind = f"{_config.bind}:{_config.service.port}"
# A process computes on one core, a thread is for a request that waits: docs/performance.md has them measured.
# WEB_CONCURRENCY sets the processes.
worker_class = "order_entry_project.web_worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 8  # settings.WEB_DATABASE_OPTIONS lets fewer than that wait for SQL that is away
keepalive = 75  # seconds; longer than a proxy keeps a connection, so that the proxy ends it
graceful_timeout = round(_config.service.drain_timeout)
timeout = 60
worker_tmp_dir = "/dev/shm"  # noqa: S108 - heartbeats; on a disk they can stall
control_socket_disable = True
# Headers: at most 64 of 8,190 bytes each, after a first line of 4,094.
limit_request_fields = 64
# Whose X-Forwarded-… is believed is said once, in api.trusted_proxies, and seen to by orders/api/proxies.py.
forwarded_allow_ips = ""

# Where the processes of this instance put their metrics; /metrics adds them up.
_metrics = tempfile.TemporaryDirectory(prefix="order-entry-web-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics.name

# One for all processes, where the configuration names none.
if _config.api.secret_key is None:
    os.environ["ORDER_ENTRY__API__SECRET_KEY"] = secrets.token_urlsafe(50)


def on_starting(server: Any) -> None:
    """Refuse what `manage.py check` refuses, before anyone is let in."""
    del server
    import django
    from django.core.management import call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
    django.setup()
    call_command("check")


def post_fork(server: Any, worker: Any) -> None:
    """A process that ends leaves the folder to the others: it inherits what removes it at the end."""
    del server, worker
    _metrics._finalizer.detach()  # noqa: SLF001 - until Python 3.12 can be told so


def post_worker_init(worker: Any) -> None:
    """The first process puts the start on record, on a thread: it serves meanwhile, whether or not SQL answers."""
    if worker.age == 1:
        from orders.starts import note_start

        threading.Thread(target=note_start, args=("web",), name="note-start", daemon=True).start()


def child_exit(server: Any, worker: Any) -> None:
    """Its gauges go with it; what it counted stays."""
    del server
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    del server
    _metrics.cleanup()
