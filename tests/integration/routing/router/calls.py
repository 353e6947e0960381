"""Calls of the router as tests make them."""

from __future__ import annotations

ROUTED = b'{"route": "NASDAQ-EXECUTION-1"}'


def post(client, endpoint, on_answer, *, body=b'{"orderId": "ORD-1"}', key="ORD-1", traceparent=None):
    client.post(endpoint, body, idempotency_key=key, traceparent=traceparent, on_answer=on_answer)
