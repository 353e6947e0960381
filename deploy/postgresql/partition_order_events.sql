-- Makes order_events a table of 16 partitions while the service runs: psql --file=this, as the owner.
-- Takes the space of order_events once more until the last statement of this file, which you run yourself, later.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET lock_timeout = '2s';  -- a worker waits no longer; where it does not succeed, run this file again

BEGIN;
DROP TABLE IF EXISTS order_events_partitioned;
CREATE TABLE order_events_partitioned
    (LIKE order_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (order_id, sequence))
    PARTITION BY HASH (order_id);
SELECT format('CREATE TABLE order_events_%s PARTITION OF order_events_partitioned '
              'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n) FROM generate_series(0, 15) n \gexec
ALTER TABLE order_events_partitioned ADD CONSTRAINT order_events_partitioned_order
    FOREIGN KEY (order_id) REFERENCES orders (order_id) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX order_events_partitioned_at ON order_events_partitioned
    USING brin (at) WITH (autosummarize = on, pages_per_range = 32);

-- From here on every event goes into both.
CREATE OR REPLACE FUNCTION copy_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_events_partitioned SELECT NEW.* ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER order_events_copied AFTER INSERT ON order_events FOR EACH ROW EXECUTE FUNCTION copy_event();
COMMIT;

-- What was there before, some thousand pages at a time.
DO $$
DECLARE
    pages bigint := (SELECT pg_relation_size('order_events') / current_setting('block_size')::int);
BEGIN
    FOR page IN 0..pages BY 4096 LOOP
        INSERT INTO order_events_partitioned
        SELECT * FROM order_events
        WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + 4096)::tid
        ON CONFLICT DO NOTHING;
        COMMIT;
    END LOOP;
END $$;
ANALYZE order_events_partitioned;

BEGIN;
LOCK TABLE order_events IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER order_events_copied ON order_events;
DROP FUNCTION copy_event();
ALTER TABLE order_events RENAME TO order_events_before;
ALTER TABLE order_events_partitioned RENAME TO order_events;
-- Migrations know them by these names.
ALTER INDEX order_events_pkey RENAME TO order_events_before_pkey;
ALTER INDEX order_events_at RENAME TO order_events_before_at;
ALTER INDEX order_events_partitioned_pkey RENAME TO order_events_pkey;
ALTER INDEX order_events_partitioned_at RENAME TO order_events_at;
CREATE TRIGGER order_events_chained BEFORE INSERT ON order_events FOR EACH ROW EXECUTE FUNCTION chain_event();
CREATE TRIGGER order_events_append_only BEFORE DELETE OR UPDATE ON order_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_events_no_truncate BEFORE TRUNCATE ON order_events EXECUTE FUNCTION refuse_change();
COMMIT;

-- Rights are given anew: manage.py create_roles --apply. When verify_audit is content and a backup is made:
--   DROP TABLE order_events_before;
