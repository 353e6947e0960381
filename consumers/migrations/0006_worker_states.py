"""What each worker says of its breakers, for the console."""

import django.db.models.functions.datetime
import orders.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consumers', '0005_finding_rejected_messages'),
    ]

    operations = [
        migrations.CreateModel(
            name='WorkerState',
            fields=[
                ('worker', orders.fields.KeyField(db_collation='C', help_text='service@host:process', max_length=150, primary_key=True, serialize=False)),
                ('breakers', models.JSONField(help_text="how each neighbour's breaker stands: closed, half-open or open")),
                ('seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='when it said so')),
            ],
            options={
                'db_table': 'worker_states',
                'ordering': ['worker'],
                'default_permissions': (),
            },
        ),
    ]
