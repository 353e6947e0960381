"""What is measured of routing. Names as in the specification."""

from prometheus_client import Counter, Gauge, Histogram

from orders.metrics import FAST

router_api_latency_ms = Histogram(
    "router_api_latency_ms", "Duration of each call of the router, by outcome", ["outcome"], buckets=FAST
)
orders_routed = Counter("orders_routed", "Orders successfully routed by the machine")
orders_parked = Counter(
    "orders_parked", "Orders left as PENDING_ROUTE, for later or for a person", ["waits_for"]
)
# Over processes: the worst of their breakers, the sum of their calls.
router_breaker_open = Gauge(
    "router_breaker_open",
    "1 while no calls are made to any instance, 0.5 while one is made to see",
    multiprocess_mode="livemax",
)
router_instance_breaker_open = Gauge(
    "router_instance_breaker_open",
    "The same of each instance of the router",
    ["router"],
    multiprocess_mode="livemax",
)
router_instance_calls = Counter(
    "router_instance_calls", "Calls answered or given up, by instance of the router", ["router", "outcome"]
)
router_calls_in_flight = Gauge("router_calls_in_flight", "Calls under way", multiprocess_mode="livesum")
