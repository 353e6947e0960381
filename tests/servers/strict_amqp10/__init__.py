"""A small AMQP 1.0 broker of the tests' own, as strict as IBM MQ's AMQP channel and in places stricter.

It shares nothing with the transport under test but proton's engine. What RabbitMQ's plugin lets pass is refused
here: see `connection` for links and sessions, `messages` for what a message may bear, `queues` for delivery
counts. Queues are in memory; they outlive their connections and an outage, not the process.

`python -m tests.servers.strict_amqp10 '{"port": 5672, "control": "/path/of/a/socket", …}'` runs it: the fields of
`broker.Options`. `tests.servers.strict_peer` starts it and speaks to its control socket.
"""
