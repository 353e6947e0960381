"""Processes as they start: with a collector configured, and without one."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

from order_entry_project.config import BASE_DIR
from tests.otlp import collector


def run(script: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)],
        cwd=BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "order_entry_project.settings", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_a_collector_nothing_of_the_sdk_is_imported():
    loaded = run(
        """
        import sys
        import order_entry_project.wsgi
        import consumers.worker
        print([name for name in sys.modules if name.startswith("opentelemetry")])
        """
    )
    assert loaded == "[]\n"


def test_a_parent_has_no_thread_and_a_child_that_leaves_at_once_has_sent_its_spans_by_then():
    with collector() as sink:
        run(
            """
            import os, threading, time
            import django
            django.setup()
            from orders import tracing

            def work():
                trace = tracing.arrived(None, name="Consume", at=time.monotonic())
                trace.finish("ROUTED")
                tracing.flush()

            for child in range(2):
                assert threading.active_count() == 1
                pid = os.fork()
                if pid == 0:
                    work()
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
            """,
            ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT=sink.url,
            ORDER_ENTRY__TELEMETRY__SAMPLING_RATIO="1",
        )
        first, second = sink.spans()
    assert first.name == second.name == "Consume"
    assert first.resource["service.instance.id"] != second.resource["service.instance.id"]


def test_a_look_up_in_the_registry_is_traced_and_tells_the_registry_so():
    with collector() as sink:
        told = run(
            """
            import http.server, threading
            import django
            django.setup()
            from routing.registries.asking import Asking
            from routing.registries.http import PATH, HttpRegistry
            from routing.registry import Registry

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    print(self.headers["traceparent"])
                    body = b'{"name": "order-router", "endpoint": "http://router:1"}'
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *_):
                    pass

            server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.handle_request).start()
            asking = Asking(f"127.0.0.1:{server.server_port}", PATH, timeout=5)
            Registry(HttpRegistry(asking, https_only=False)).lookup("order-router")
            """,
            ORDER_ENTRY__TELEMETRY__OTLP_ENDPOINT=sink.url,
            ORDER_ENTRY__TELEMETRY__SAMPLING_RATIO="1",
        )
        (span,) = sink.spans()
    assert (span.name, span.kind, span.parent_id) == ("GET", "CLIENT", "")
    assert tuple(told.split("-")[1:3]) == span.ids
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["url.full"].endswith("/services/order-router")
