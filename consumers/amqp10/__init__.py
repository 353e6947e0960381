"""AMQP 1.0, as IBM MQ speaks it, with an optional package (see `consumers.amqp10_extra`)."""
