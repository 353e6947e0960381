"""What is measured of the order book and the stores. Names as in the specification."""

from prometheus_client import Counter, Gauge, Histogram

# Milliseconds: from one statement on a quiet machine to a timeout.
FAST = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 125, 250, 500, 1000, 2500, 5000)

sql_write_errors = Counter(
    "sql_write_errors", "Statements that failed, by statement and SQLSTATE", ["statement", "sqlstate"]
)
sql_latency_ms = Histogram(
    "sql_latency_ms", "Duration of statements of the hot path", ["statement"], buckets=FAST
)
aerospike_write_latency_ms = Histogram(
    "aerospike_write_latency_ms",
    "Duration of cache writes, a batch each, in whatever store",
    ["store"],
    buckets=FAST,
)
store_read_latency_ms = Histogram(
    "store_read_latency_ms", "Duration of reads, a batch each, from whatever store", ["store"], buckets=FAST
)
store_errors = Counter("store_errors", "Calls of a store that failed", ["store"])
store_breaker_open = Gauge(
    "store_breaker_open",
    "1 while a store that failed is left alone",
    ["store"],
    multiprocess_mode="livemax",  # over processes: the worst
)
