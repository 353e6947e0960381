"""What orders, symbols and counterparties may be called, wherever that is asked: in messages, paths, forms, columns."""

from __future__ import annotations

import re
from typing import Final

LONGEST_ORDER_ID: Final = 64
LONGEST_SYMBOL: Final = 32
LONGEST_COUNTERPARTY: Final = 64

ORDER_ID: Final = rf"[A-Za-z0-9._:-]{{1,{LONGEST_ORDER_ID}}}"
ORDER_ID_IN_WORDS: Final = f"1 to {LONGEST_ORDER_ID} characters of A-Z a-z 0-9 . _ : -"
is_order_id = re.compile(ORDER_ID).fullmatch
