"""Answers kept for repeated requests are of every write of the API: the model comes down, its table stays as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0011_roles'),
        # Which made the table.
        ('routing', '0004_operations'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='auditentry',
            options={'ordering': ['-id'], 'verbose_name_plural': 'audit entries'},
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='KeptAnswer',
                    fields=[
                        ('pk', models.CompositePrimaryKey('caller', 'key', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('caller', models.CharField(max_length=150)),
                        ('key', models.CharField(max_length=255)),
                        ('digest', models.BinaryField(help_text='SHA-256 of method, path and body')),
                        ('status', models.IntegerField(default=0)),
                        ('location', models.TextField(default='')),
                        ('body', models.TextField(default='')),
                        ('expires_at', models.DateTimeField()),
                    ],
                    options={
                        'db_table': 'kept_answers',
                        'default_permissions': (),
                        'indexes': [models.Index(models.F('expires_at'), name='kept_answers_expiry')],
                    },
                ),
            ],
        ),
    ]
