"""The page on tokens: its worked example is right, and the service agrees."""

import re
from datetime import UTC, datetime

from consumers import token
from orders import schema
from tests.checkout import ROOT

PAGE = (ROOT / "docs" / "message-token.md").read_text(encoding="utf-8")


def test_the_example_is_what_the_service_signs_and_verifies():
    example = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], example)  # noqa: S102 - the project's own page
    (written,) = re.findall(r"^    (t=[0-9]+,kid=\S+,v1=[0-9a-f]{64})$", PAGE, re.MULTILINE)
    body, keys = example["body"], {"2026-02": example["key"]}
    order = schema.decode(body, "application/json", datetime.now(UTC))
    message = {"message_id": "msg-1", "order_id": order.order_id, "body": body}

    assert example["token"] == written
    assert token.sign(keys, **message, at=1771065045) == written
    assert token.verify(written, keys, **message) == 1771065045
