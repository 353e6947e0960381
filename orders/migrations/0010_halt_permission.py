from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0009_console_lists'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='halt',
            options={'default_permissions': ('view',), 'ordering': ['-since', '-id'], 'permissions': [('halt_routing', 'Can halt routing, and lift halts')]},
        ),
    ]
