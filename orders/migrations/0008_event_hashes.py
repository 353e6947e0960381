"""order_events.hash: each event's hash over its content and what came before it, written by a trigger.

Before the first event came the order itself: its digest. audit_anchors are append-only as the events are.

Code that knows nothing of the column may run meanwhile. Each step may be repeated after an interruption.
"""

from django.db import migrations, models, transaction

_BATCH = 1000  # orders whose rows are locked at once

_HASH = """
CREATE OR REPLACE FUNCTION order_event_hash(
    before bytea, order_id text, sequence int, event text, actor text, reason text, at timestamptz
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(
    before || int4send(sequence) || timestamptz_send(at)
    || convert_to(concat_ws(':', length(order_id), length(event), length(actor), length(reason),
                            order_id || event || actor || reason), 'UTF8')
);
"""

# A writer may bring the hash before along: looking it up is most of what this costs. A wrong one breaks the chain.
_CHAIN = """
CREATE OR REPLACE FUNCTION chain_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.hash IS NULL OR length(NEW.hash) <> 32 THEN
        IF NEW.sequence > 1 THEN
            SELECT hash INTO NEW.hash FROM order_events
            WHERE order_id = NEW.order_id AND sequence = NEW.sequence - 1;
        ELSE
            SELECT digest INTO NEW.hash FROM orders WHERE order_id = NEW.order_id;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'event %% of order %% has nothing before it', NEW.sequence, NEW.order_id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;%s
    END IF;
    NEW.hash := order_event_hash(NEW.hash, NEW.order_id, NEW.sequence, NEW.event, NEW.actor, NEW.reason, NEW.at);
    RETURN NEW;
END $$;
"""
# Whoever writes an event holds its order's row, and so does `_fill` below.
_WHILE_FILLING = """
        IF NEW.hash IS NULL AND NEW.sequence > 1 THEN
            PERFORM fill_event_hashes(ARRAY[NEW.order_id]);
            SELECT hash INTO NEW.hash FROM order_events
            WHERE order_id = NEW.order_id AND sequence = NEW.sequence - 1;
        END IF;"""
_FILLER = """
CREATE OR REPLACE FUNCTION fill_event_hashes(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    e order_events;
    before bytea;
BEGIN
    FOR e IN SELECT * FROM order_events WHERE order_id = ANY (ids) ORDER BY order_id, sequence LOOP
        IF e.sequence = 1 THEN
            SELECT digest INTO before FROM orders WHERE order_id = e.order_id;
        END IF;
        before := coalesce(
            e.hash, order_event_hash(before, e.order_id, e.sequence, e.event, e.actor, e.reason, e.at)
        );
        UPDATE order_events SET hash = before
        WHERE order_id = e.order_id AND sequence = e.sequence AND hash IS NULL;
    END LOOP;
END $$;
"""

_BEGIN = f"""
ALTER TABLE order_events ADD COLUMN IF NOT EXISTS hash bytea;
{_HASH}
{_FILLER}
{_CHAIN % _WHILE_FILLING}
DROP TRIGGER IF EXISTS order_events_chained ON order_events;
CREATE TRIGGER order_events_chained BEFORE INSERT ON order_events
    FOR EACH ROW EXECUTE FUNCTION chain_event();
DROP TRIGGER IF EXISTS order_events_append_only ON order_events;
CREATE TRIGGER order_events_append_only BEFORE DELETE ON order_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS order_events_only_filled ON order_events;
CREATE TRIGGER order_events_only_filled BEFORE UPDATE ON order_events FOR EACH ROW
    WHEN (
        OLD.hash IS NOT NULL OR NEW.hash IS NULL
        OR (OLD.order_id, OLD.sequence, OLD.event, OLD.actor, OLD.reason, OLD.at)
           IS DISTINCT FROM (NEW.order_id, NEW.sequence, NEW.event, NEW.actor, NEW.reason, NEW.at)
    ) EXECUTE FUNCTION refuse_change();
"""
_END = f"""
DROP TRIGGER order_events_append_only ON order_events;
CREATE TRIGGER order_events_append_only BEFORE UPDATE OR DELETE ON order_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER order_events_only_filled ON order_events;
{_CHAIN % ""}
DROP FUNCTION fill_event_hashes(text[]);
ALTER TABLE order_events DROP CONSTRAINT IF EXISTS order_events_hashed;
ALTER TABLE order_events ADD CONSTRAINT order_events_hashed CHECK (hash IS NOT NULL) NOT VALID;
"""
# Validated before, the column is not scanned under the lock that SET NOT NULL takes.
_VALIDATE = "ALTER TABLE order_events VALIDATE CONSTRAINT order_events_hashed;"
_NOT_NULL = """
ALTER TABLE order_events ALTER COLUMN hash SET NOT NULL;
ALTER TABLE order_events DROP CONSTRAINT order_events_hashed;
"""
_ANCHORS = """
CREATE TRIGGER audit_anchors_append_only BEFORE UPDATE OR DELETE ON audit_anchors
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_anchors_no_truncate BEFORE TRUNCATE ON audit_anchors
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
_BACKWARD = """
DROP TRIGGER order_events_chained ON order_events;
DROP FUNCTION chain_event();
DROP FUNCTION order_event_hash(bytea, text, int, text, text, text, timestamptz);
ALTER TABLE order_events DROP COLUMN hash;
"""


def _fill(apps, schema_editor):
    last = ""
    while last is not None:
        with transaction.atomic(schema_editor.connection.alias), schema_editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT order_id FROM orders WHERE order_id > %s ORDER BY order_id LIMIT %s FOR NO KEY UPDATE",
                [last, _BATCH],
            )
            ids = [row[0] for row in cursor.fetchall()]
            cursor.execute("SELECT fill_event_hashes(%s)", [ids])
        last = ids[-1] if ids else None


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0007_api_tokens")]
    operations = [
        migrations.RunSQL(
            _BEGIN,
            _BACKWARD,
            state_operations=[
                migrations.AddField(
                    "orderevent",
                    "hash",
                    models.BinaryField(
                        editable=False, help_text="SHA-256 over the content and the hash before, see evidence.py"
                    ),
                ),
            ],
        ),
        migrations.RunPython(_fill, migrations.RunPython.noop),
        migrations.RunSQL(_END, migrations.RunSQL.noop),
        migrations.RunSQL(_VALIDATE, migrations.RunSQL.noop),
        migrations.RunSQL(_NOT_NULL, migrations.RunSQL.noop),
        migrations.CreateModel(
            name='AuditAnchor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(help_text='events from then on; empty: from the beginning', null=True)),
                ('until', models.DateTimeField(help_text='events before then')),
                ('events', models.BigIntegerField(help_text='how many there are in this time')),
                ('orders', models.BigIntegerField(help_text='of how many orders')),
                ('root', models.BinaryField(help_text="of the Merkle tree over each of these orders' last hash")),
                ('made_at', models.DateTimeField()),
                ('made_by', models.CharField(max_length=150)),
                ('hash', models.BinaryField(help_text='SHA-256 over all this and the anchor before')),
            ],
            options={
                'db_table': 'audit_anchors',
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('since',), name='audit_anchors_go_on_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('until__gt', models.F('since'))), name='audit_anchors_span_time')],
            },
        ),
        migrations.RunSQL(_ANCHORS, migrations.RunSQL.noop),
    ]
