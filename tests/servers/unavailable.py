class UnavailableError(Exception):
    """A server cannot be had on this machine. Tests skip with this reason, or fail where CI=true."""
