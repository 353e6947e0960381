"""Each start of a process is on record: who, where, which version, and with which configuration."""

from __future__ import annotations

import hashlib
import logging
import os

import msgspec
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from orders import audit
from orders.models import AuditEntry
from orders.operators import operator

logger = logging.getLogger(__name__)

_ACTION = "service.start"


def note_start(part: str) -> None:
    """Put the start of this `part` of the service on record; its configuration, secrets masked, where it is new.

    A start is not put off until SQL can be written: the log says so then. No connection is left behind.
    """
    configuration = settings.CHOSEN(settings.CONFIG)
    digest = hashlib.sha256(msgspec.json.encode(configuration, order="sorted")).hexdigest()
    detail = {**settings.BUILD(), "process": os.getpid(), "configuration_sha256": digest}
    try:
        last = AuditEntry.objects.filter(subject=part, action=_ACTION).order_by("-id").first()
        if last is None or last.detail["configuration_sha256"] != digest:
            detail["configuration"] = configuration
        audit.record(actor=operator(), action=_ACTION, subject=part, detail=detail)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The start of the %s is not on record: %s", part, str(error).strip())
    finally:
        connection.close()
