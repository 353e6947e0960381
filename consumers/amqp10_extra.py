"""The optional package behind AMQP 1.0."""

from __future__ import annotations

from importlib.util import find_spec

_MISSING = (
    "AMQP 1.0 needs the package python-qpid-proton, which is not installed: run `make install-amqp10`. It is compiled, "
    "which on Debian needs: apt-get install gcc libc6-dev python3-dev"
)


class Amqp10Unavailable(ValueError):
    """The package is not installed; says what to do."""


def require() -> None:
    """Raises `Amqp10Unavailable`."""
    if find_spec("proton") is None or find_spec("cproton") is None:
        raise Amqp10Unavailable(_MISSING)
