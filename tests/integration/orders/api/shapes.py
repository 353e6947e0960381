"""What the API's documents hold."""

STATUS_KEYS = ["orderId", "status", "symbol", "side", "quantity", "price", "route", "created_at", "routed_at"]
