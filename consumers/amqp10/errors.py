"""What went wrong with an AMQP 1.0 broker, in words for whoever reads the log."""

from __future__ import annotations

import ssl

from consumers.amqp10.engine import Ended

NOT_FOUND = "amqp:not-found"
GONE = (NOT_FOUND, "amqp:resource-deleted")  # what a link's end says of a queue that is not there
_LOGIN = "amqp:unauthorized-access"
_FRAMING = "amqp:connection:framing-error"
_NO_ANSWER = "amqp:resource-limit-exceeded"


def is_refused_login(ended: Ended) -> bool:
    return ended.name == _LOGIN and "mech" in ended.description


def speaks_0_9_1(ended: Ended) -> bool:
    """Whether the broker has answered our protocol header with AMQP 0-9-1's."""
    return ended.name == _FRAMING and "AMQP\\x00\\x00\\x09\\x01" in ended.description


def explain(ended: Ended, queue: str) -> str:
    """One line."""
    if ended.name == NOT_FOUND:
        return f"queue {queue} does not exist: create it at the broker ({ended.description})"
    if is_refused_login(ended):
        return f"the broker refused the user name, password or certificate ({ended.description})"
    if speaks_0_9_1(ended):
        return "the broker speaks AMQP 0-9-1: set mq.broker_url to amqp:// or amqps://"
    if ended.name == _FRAMING:
        return f"the broker does not answer as AMQP 1.0 does, or expects TLS ({ended.description})"
    return ": ".join(part for part in (ended.name, ended.description) if part)


def explain_lost(error: BaseException | None) -> str:
    """Why there is no connection, or none any more."""
    if error is None:
        return "the broker closed the connection"
    if isinstance(error, ssl.SSLError) and "ALERT" in str(error).upper():
        # In TLS 1.3 our side of the handshake is done before the broker looks at the certificate.
        return f"the broker does not let our certificate in ({error})"
    if isinstance(error, ssl.SSLEOFError):
        return "the broker closed the connection without a word: if it never stood, our certificate may not be let in"
    return f"{type(error).__name__}: {error}".rstrip(": ")
