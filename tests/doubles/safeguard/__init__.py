"""One Identity Safeguard as an application (A2A) sees it, over mutual TLS.

Written to the API that pysafeguard 8.2 calls: `api.py` answers, `appliance.py` is what it knows and how it behaves.
"""

from tests.doubles.safeguard.appliance import Appliance

__all__ = ["Appliance"]
