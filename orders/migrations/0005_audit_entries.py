"""audit_entries, append-only as order_events is: one trigger function serves both and names the table."""

import django.db.models.functions.datetime
from django.db import migrations, models

FORWARD = """
ALTER FUNCTION order_events_refuse_change() RENAME TO refuse_change;
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER audit_entries_no_truncate ON audit_entries;
DROP TRIGGER audit_entries_append_only ON audit_entries;
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order_events is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
ALTER FUNCTION refuse_change() RENAME TO order_events_refuse_change;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0004_halts_and_retries'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor', models.CharField(help_text='who', max_length=150)),
                ('action', models.CharField(help_text='what, as area.verb: idempotency.clear', max_length=64)),
                ('subject', models.CharField(help_text="to whom or what: an order id, a user's name", max_length=255)),
                ('detail', models.JSONField(default=dict, help_text='why, and whatever else tells it')),
            ],
            options={
                'db_table': 'audit_entries',
                'ordering': ['-id'],
                'indexes': [models.Index(models.F('subject'), name='audit_entries_subject')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('actor', ''), _negated=True), models.Q(('action', ''), _negated=True)), name='audit_entries_say_who_and_what')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
