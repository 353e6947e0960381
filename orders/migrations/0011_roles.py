"""The groups of people: what each may do is said in `order_entry_project/console/roles.py` and seen to after each migrate."""

from django.db import migrations

_ROLES = ('viewer', 'operator', 'supervisor')


def make(apps, schema_editor):
    for name in _ROLES:
        apps.get_model('auth', 'Group').objects.using(schema_editor.connection.alias).get_or_create(name=name)


def remove(apps, schema_editor):
    apps.get_model('auth', 'Group').objects.using(schema_editor.connection.alias).filter(name__in=_ROLES).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('orders', '0010_halt_permission'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ['-created_at', 'order_id'], 'permissions': [('route_order', 'Can route orders by hand'), ('repair_cache', 'Can write to the cache what the book says'), ('export_order', 'Can export orders as CSV')]},
        ),
        migrations.RunPython(make, remove),
    ]
