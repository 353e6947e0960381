"""Answers kept for repeated requests are known to `orders` from now on, which the API's other writes are of."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0012_kept_answers'),
        ('routing', '0004_operations'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel(name='KeptAnswer')]),
    ]
