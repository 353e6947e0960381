"""Order ids in paths. What cannot be an order id matches no path, so SQL is never asked for it."""

from orders import names

ORDER_ID = rf"(?P<order_id>{names.ORDER_ID})"
