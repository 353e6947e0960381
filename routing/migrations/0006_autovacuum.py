"""When order_routes is vacuumed: each route leaves a dead row when it is published. See orders.0013_autovacuum."""

from django.db import migrations

_SET = """
ALTER TABLE order_routes SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.05
);
"""
_RESET = """
ALTER TABLE order_routes RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor
);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0005_kept_answers'),
    ]

    operations = [migrations.RunSQL(_SET, _RESET)]
