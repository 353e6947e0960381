"""Indexes for the console: the events of the last hour; one counterparty's or one symbol's orders, newest first."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('orders', '0008_event_hashes'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='orderevent',
            index=BrinIndex(autosummarize=True, fields=['at'], name='order_events_at', pages_per_range=32),
        ),
        AddIndexConcurrently(
            model_name='order',
            index=models.Index(models.F('counterparty'), models.F('created_at'), name='orders_by_counterparty'),
        ),
        AddIndexConcurrently(
            model_name='order',
            index=models.Index(models.F('symbol'), models.F('created_at'), name='orders_by_symbol'),
        ),
        RemoveIndexConcurrently(model_name='order', name='orders_counterparty'),
    ]
