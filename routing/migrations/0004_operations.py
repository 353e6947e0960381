"""What people asked for: actions on many orders, routes that wait for approval, answers kept for repeated requests."""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0007_api_tokens'),
        ('routing', '0003_recent_routes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkAction',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('operation', models.CharField(choices=[('route', 'Route to a venue'), ('retry', 'Retry now'), ('cancel', 'Cancel'), ('execution', 'Report the execution'), ('clear-review', 'Clear the review mark')], max_length=16)),
                ('proposed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('decided_at', models.DateTimeField(help_text='empty: the person is still looking at it', null=True)),
                ('route', models.CharField(db_default='', help_text='the venue', max_length=255)),
                ('reason', models.TextField(db_default='')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'action on orders',
                'verbose_name_plural': 'actions on orders',
                'db_table': 'bulk_actions',
                'ordering': ['-proposed_at', 'id'],
                'indexes': [models.Index(models.F('proposed_at'), name='bulk_actions_proposed')],
                'constraints': [models.CheckConstraint(condition=models.Q(('decided_at__isnull', True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='bulk_actions_decided_with_reason')],
                'permissions': [('retry_order', 'Can have orders retried'), ('cancel_order', 'Can cancel orders'), ('execute_order', 'Can report orders as executed'), ('review_order', 'Can clear review marks')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='BulkActionOrder',
            fields=[
                ('pk', models.CompositePrimaryKey('action_id', 'order_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('effect', models.CharField(choices=[('REFUSED', 'Refused'), ('ASKED', 'Waits for approval'), ('UNCHANGED', 'Unchanged'), ('DONE', 'Done')], help_text='empty: not yet', max_length=16, null=True)),
                ('said', models.TextField(db_default='', help_text='what became of it, or why nothing did')),
                ('action', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='orders', to='routing.bulkaction')),
                ('order', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.order')),
            ],
            options={
                'db_table': 'bulk_action_orders',
                'ordering': ['action_id', 'order_id'],
                'default_permissions': (),
            },
        ),
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
        migrations.CreateModel(
            name='RouteApproval',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('route', models.CharField(max_length=255)),
                ('reason', models.TextField()),
                ('notional', models.DecimalField(decimal_places=16, help_text='quantity times price', max_digits=40)),
                ('requested_by', models.CharField(help_text='who asked: a user, or a token', max_length=150)),
                ('requested_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField()),
                ('decision', models.CharField(choices=[('APPROVED', 'Approved'), ('DECLINED', 'Declined')], max_length=16, null=True)),
                ('decided_by', models.CharField(db_default='', max_length=150)),
                ('decided_at', models.DateTimeField(null=True)),
                ('remark', models.TextField(db_default='', help_text='of who decided')),
                ('order', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='orders.order')),
                ('requester', models.ForeignKey(help_text='the person behind that, who may not approve; empty: a service', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'route waiting for approval',
                'verbose_name_plural': 'routes waiting for approval',
                'db_table': 'route_approvals',
                'ordering': ['-requested_at', 'id'],
                'indexes': [models.Index(models.F('requested_at'), condition=models.Q(('decision__isnull', True)), name='route_approvals_waiting'), models.Index(models.F('order'), name='route_approvals_order')],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('route', ''), _negated=True), models.Q(('reason', ''), _negated=True)), name='route_approvals_say_where_and_why'),
                    models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by', ''), ('decision__isnull', True)), models.Q(('decided_at__isnull', False), ('decision__isnull', False), models.Q(('decided_by', ''), _negated=True)), _connector='OR'), name='route_approvals_decided_by_someone'),
                ],
                'permissions': [('approve_route', 'Can approve routes that others asked for')],
                'default_permissions': ('view',),
            },
        ),
    ]
