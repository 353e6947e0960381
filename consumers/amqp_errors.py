"""What went wrong with a broker, in words for whoever reads the log."""

from __future__ import annotations

from typing import Any

from pika import exceptions

_WORDS = {
    exceptions.IncompatibleProtocolError: (
        "the broker does not answer as AMQP 0-9-1 does: it speaks AMQP 1.0 only, or expects TLS"
    ),
    exceptions.ProbableAuthenticationError: "the broker refused the user name, password or certificate",
    exceptions.AuthenticationError: "the broker takes none of our ways to log in",
    exceptions.ProbableAccessDeniedError: "the broker refused this user the virtual host",
}
_ALERT = "_ALERT_"  # in what OpenSSL says when the other side ends a handshake
_NOT_FOUND, _PRECONDITION_FAILED = 404, 406


def is_refused_login(error: BaseException) -> bool:
    return isinstance(cause(error), exceptions.ProbableAuthenticationError)


def explain(error: BaseException, queue: str) -> str:
    """Why a connection or channel that was for `queue` ended or could not begin; one line."""
    found = cause(error)
    if isinstance(found, exceptions.IncompatibleProtocolError) and _ALERT in str(found):
        # In TLS 1.3 our side of the handshake is done before the broker looks at the certificate.
        return f"the broker does not let our certificate in ({found.args[0]})"
    for kind, words in _WORDS.items():
        if isinstance(found, kind):
            return f"{words} ({found.args[0]})" if found.args else words
    if isinstance(found, exceptions.ConnectionClosed | exceptions.ChannelClosed):
        return _explain_close(found.reply_code, found.reply_text, queue)
    return f"{type(found).__name__}: {found}".rstrip(": ")


def _explain_close(code: int, text: str, queue: str) -> str:
    if code == _NOT_FOUND and "no queue" in text:
        return f"queue {queue} does not exist: create it or set mq.declare"
    if code == _PRECONDITION_FAILED and "inequivalent" in text:
        return f"queue {queue} exists, but not as mq.queue_type says: {text}"
    return f"{code} {text}"


def cause(error: Any) -> Any:
    """The innermost of pika's nested errors."""
    while True:
        if getattr(error, "exceptions", None):
            error = error.exceptions[-1]
        elif isinstance(getattr(error, "exception", None), BaseException):
            error = error.exception
        elif getattr(error, "args", None) and isinstance(error.args[0], BaseException):
            error = error.args[0]
        else:
            return error
