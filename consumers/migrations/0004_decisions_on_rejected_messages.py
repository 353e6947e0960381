import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consumers', '0003_bad_token'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='rejectedmessage',
            options={'default_permissions': ('view', 'replay', 'discard'), 'ordering': ['-rejected_at', '-id']},
        ),
        migrations.AddField(
            model_name='rejectedmessage',
            name='fault',
            field=models.CharField(db_default='', help_text='the field at fault, as price or legs.0.ratio; empty: the whole', max_length=255),
        ),
        migrations.AddField(
            model_name='rejectedmessage',
            name='state',
            field=models.CharField(choices=[('WAITING', 'Waiting'), ('REPLAYED', 'Replayed'), ('DISCARDED', 'Discarded')], db_default='WAITING', max_length=16),
        ),
        migrations.AddField(
            model_name='rejectedmessage',
            name='decided_at',
            field=models.DateTimeField(help_text='when it was replayed or discarded last', null=True),
        ),
        migrations.AddField(
            model_name='rejectedmessage',
            name='decided_by',
            field=models.CharField(db_default='', max_length=150),
        ),
        migrations.AddField(
            model_name='rejectedmessage',
            name='decision_reason',
            field=models.TextField(db_default=''),
        ),
        migrations.AddField(
            model_name='rejectedmessage',
            name='replayed_as',
            field=models.CharField(db_default='', help_text='the id it was sent under', max_length=255),
        ),
        migrations.AlterField(
            model_name='rejectedmessage',
            name='rejected_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='for the last time'),
        ),
        migrations.AddConstraint(
            model_name='rejectedmessage',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['WAITING', 'REPLAYED', 'DISCARDED'])), name='rejected_messages_state_known'),
        ),
        migrations.AddConstraint(
            model_name='rejectedmessage',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'WAITING'), models.Q(('decided_at__isnull', False), models.Q(('decided_by', ''), _negated=True)), _connector='OR'), name='rejected_messages_decided_by_someone'),
        ),
    ]
