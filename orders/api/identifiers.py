"""Order ids in paths. What cannot be an order id matches no path, so SQL is never asked for it."""

ORDER_ID = r"(?P<order_id>[A-Za-z0-9._:-]{1,64})"
