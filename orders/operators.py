"""Who gives a command."""

from __future__ import annotations

import os
import pwd
import socket

_LONGEST = 150  # of an actor on record


def operator(name: str | None = None) -> str:
    """For the record: the account this process runs as, after the `name` that the person gave, if any."""
    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        account = f"uid {os.geteuid()}"
    account = f"{account}@{socket.gethostname()}"
    return (f"{name} ({account})" if name else account)[:_LONGEST]
