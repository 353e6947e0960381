"""The SQL that keeps whoever owns the tables apart from whoever runs the service.

The run-time role can do with each table what the service does, and nothing that could change what is on record: it
owns nothing, may not define anything, and has no UPDATE, DELETE, TRUNCATE or TRIGGER on an append-only table.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from order_entry_project.preflight import rights

# Each statement may be repeated; what is as it should be is not touched, so that the owner alone can do it later.
_SCRIPT = """
DO $roles$
DECLARE
    t record;
    f regprocedure;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {owner_name}) THEN
        CREATE ROLE {owner} LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {runtime_name}) THEN
        CREATE ROLE {runtime} LOGIN;
    END IF;
    -- Above any grant stands whoever is one of these.
    IF (SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
        FROM pg_roles WHERE rolname = {runtime_name}) THEN
        ALTER ROLE {runtime} NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
    END IF;
    IF pg_has_role({runtime_name}, {owner_name}, 'MEMBER') THEN
        REVOKE {owner} FROM {runtime};
    END IF;
    IF NOT has_database_privilege({runtime_name}, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), {runtime_name});
    END IF;
    IF has_database_privilege({runtime_name}, current_database(), 'TEMPORARY') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, %I', current_database(), {runtime_name});
    END IF;
    IF (SELECT nspowner FROM pg_namespace WHERE nspname = 'public') <> {owner_name}::regrole THEN
        ALTER SCHEMA public OWNER TO {owner};
    END IF;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, {runtime};
    GRANT USAGE ON SCHEMA public TO {runtime};
    -- What a later migration adds; its own rights come with the next run of this.
    ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {runtime};
    ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE ON SEQUENCES TO {runtime};
    FOR t IN
        SELECT n.name, n.rights, c.relowner FROM (VALUES
            {tables}
        ) AS n (name, rights) JOIN pg_class c ON c.oid = to_regclass(format('public.%I', n.name))
    LOOP
        IF t.relowner <> {owner_name}::regrole THEN
            EXECUTE format('ALTER TABLE public.%I OWNER TO %I', t.name, {owner_name});
        END IF;
        EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC, %I', t.name, {runtime_name});
        EXECUTE format('GRANT %s ON public.%I TO %I', t.rights, t.name, {runtime_name});
    END LOOP;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {runtime};
    FOR f IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> {owner_name}::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', f, {owner_name});
    END LOOP;
END $roles$;
"""


def script(*, owner: str, runtime: str) -> str:
    """To be run in the service's database, in one transaction."""
    tables = sql.SQL(",\n            ").join(
        sql.SQL("({}, {})").format(sql.Literal(table), sql.Literal(rights)) for table, rights in _tables()
    )
    return (
        sql.SQL(_SCRIPT)
        .format(
            owner=sql.Identifier(owner),
            runtime=sql.Identifier(runtime),
            owner_name=sql.Literal(owner),
            runtime_name=sql.Literal(runtime),
            tables=tables,
        )
        .as_string(None)
        .strip()
    )


def _tables() -> Iterator[tuple[str, str]]:
    for table, privileges in rights.needed().items():
        yield table, ", ".join(privileges)
