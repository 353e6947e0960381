"""api_tokens: who may use the API without being a person; only hashes of them."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0006_trace_context'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='what it is for; among living tokens no other has it', max_length=64)),
                ('prefix', models.CharField(help_text='its first characters, to recognise it by', max_length=16)),
                ('digest', models.BinaryField(help_text='SHA-256 of the token', unique=True)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'read'), ('create', 'create'), ('operate', 'operate'), ('metrics', 'metrics')], max_length=16), size=None)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.CharField(max_length=150)),
                ('expires_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(help_text='to the minute', null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('revoked_by', models.CharField(db_default='', max_length=150)),
                ('owner', models.ForeignKey(help_text="whose rights bound it; empty: a service's own", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API token',
                'db_table': 'api_tokens',
                'ordering': ['-created_at', '-id'],
                'default_permissions': ('view', 'add', 'revoke'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True)), fields=('name',), name='api_tokens_name_unique'), models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['read', 'create', 'operate', 'metrics']), ('scopes__len__gt', 0)), name='api_tokens_scopes_known'), models.CheckConstraint(condition=models.Q(models.Q(('revoked_at__isnull', True), ('revoked_by', '')), models.Q(('revoked_at__isnull', False), models.Q(('revoked_by', ''), _negated=True)), _connector='OR'), name='api_tokens_revoked_by_someone')],
            },
        ),
    ]
