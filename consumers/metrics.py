"""What is measured of the queue side. Names as in the specification."""

from prometheus_client import Counter, Histogram

from orders.metrics import FAST

orders_consumed = Counter("orders_consumed", "Messages taken from the queue", ["queue"])
orders_duplicate = Counter("orders_duplicate", "Messages whose order was known and needed nothing")
messages_rejected = Counter("messages_rejected", "Messages quarantined, by reason", ["reason"])
publications = Counter(
    "publications", "Routed orders sent to the routed queue, by what the queue said", ["outcome"]
)
order_entry_latency_ms = Histogram(
    "order_entry_latency_ms", "From consuming a message to its order being routed", buckets=FAST
)
# The other stages are sql_latency_ms (place, settle_routed), aerospike_write_latency_ms, router_api_latency_ms.
_stage = Histogram("order_stage_latency_ms", "Duration of a stage of the pipeline", ["stage"], buckets=FAST)
waited = _stage.labels("wait")  # of the oldest message of a batch, before it is decoded
decoded = _stage.labels("decode")  # of a batch
published = _stage.labels("publish")  # of one order, until the routed queue answers
batch_size = Histogram(
    "batch_size", "Messages in a batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)
