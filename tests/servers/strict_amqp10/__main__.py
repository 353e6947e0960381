from __future__ import annotations

import asyncio
import json
import sys

from tests.servers.strict_amqp10.broker import Broker, Options

if __name__ == "__main__":
    asyncio.run(Broker(Options(**json.loads(sys.argv[1]))).run())
