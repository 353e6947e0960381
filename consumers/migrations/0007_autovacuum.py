"""When the embedded queue is vacuumed. See orders.0013_autovacuum.

Each message leaves two dead rows, in a table that is mostly empty: what counts is their number alone. It is small,
so its vacuum need not rest in between.
"""

from django.db import migrations

_SET = """
ALTER TABLE queue_messages SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE delivery_attempts SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000
);
"""
_RESET = """
ALTER TABLE queue_messages RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay
);
ALTER TABLE delivery_attempts RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('consumers', '0006_worker_states'),
    ]

    operations = [migrations.RunSQL(_SET, _RESET)]
