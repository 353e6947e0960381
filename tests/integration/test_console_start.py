"""Who loads the pages of the console, in a process as `manage.py` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from order_entry_project.config import BASE_DIR

_STARTED = """
import json, sys
import django
django.setup()
import consumers.worker
loaded = [name for name in sys.modules if name == "unfold.admin" or ".admin" in name]
from django.contrib import admin
from django.core.checks import Tags, run_checks
run_checks(tags=[Tags.admin])
print(json.dumps([loaded, [model._meta.label for model in admin.site._registry]]))
"""


def test_a_worker_does_without_them_and_check_looks_at_them_all():
    done = subprocess.run(
        [sys.executable, "-c", _STARTED],
        cwd=BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "order_entry_project.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded, checked = json.loads(done.stdout)
    ours = [name for name in loaded if not name.startswith("django.")]
    assert ours == []
    assert {"orders.Order", "orders.ApiToken", "consumers.RejectedMessage", "auth.User"} <= set(checked)
