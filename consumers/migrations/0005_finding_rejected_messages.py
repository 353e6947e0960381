"""Indexes for the console, made while workers go on quarantining."""

from django.contrib.postgres.indexes import OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0004_decisions_on_rejected_messages'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='rejectedmessage',
            index=models.Index(models.F('reason'), models.F('rejected_at'), condition=models.Q(('state', 'WAITING')), include=('queue', 'fault'), name='rejected_messages_waiting'),
        ),
        AddIndexConcurrently(
            model_name='rejectedmessage',
            index=models.Index(models.F('state'), models.OrderBy(models.F('rejected_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='rejected_messages_listed'),
        ),
        AddIndexConcurrently(
            model_name='rejectedmessage',
            index=models.Index(models.OrderBy(models.F('rejected_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='rejected_messages_latest'),
        ),
        AddIndexConcurrently(
            model_name='rejectedmessage',
            index=models.Index(OpClass('message_id', 'varchar_pattern_ops'), name='rejected_messages_message_id'),
        ),
        AddIndexConcurrently(
            model_name='rejectedmessage',
            index=models.Index(OpClass('order_id', 'varchar_pattern_ops'), condition=models.Q(('order_id__isnull', False)), name='rejected_messages_order_id'),
        ),
    ]
