"""When the tables that each order writes are vacuumed. The price of it, and of leaving it out: docs/performance.md.

Each order leaves a dead row in `orders` (PLACED becomes ROUTED), and one in `store_records` where that is the cache.
By default a fifth of a table must be dead before it is vacuumed: of a year's orders that is ten weeks' worth, and then
hours of work at once. No fillfactor: status is indexed, so none of these updates can be HOT.

`order_events` has no dead rows. There, vacuum freezes what is new, so that nothing is left for the day when all must
be frozen at once.

SET (…) waits for nobody who reads or writes, and nobody for it.
"""

from django.db import migrations

_SET = """
ALTER TABLE orders SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 5000
);
ALTER TABLE order_events SET (
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE store_records SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000
);
"""
_RESET = """
ALTER TABLE orders RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold
);
ALTER TABLE order_events RESET (
    autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold, autovacuum_analyze_scale_factor
);
ALTER TABLE store_records RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0012_kept_answers'),
    ]

    operations = [migrations.RunSQL(_SET, _RESET)]
