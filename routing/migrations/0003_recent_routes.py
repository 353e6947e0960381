"""Finding the attempts of the last hour, for the console."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('routing', '0002_stages'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='orderroute',
            index=BrinIndex(autosummarize=True, fields=['decided_at'], name='order_routes_decided_at', pages_per_range=32),
        ),
    ]
