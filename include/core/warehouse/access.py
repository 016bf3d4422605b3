"""Checks that a session may load, so that a missing permission is reported once, in full, and before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.settings import WAREHOUSE_SCHEMA
from include.core.warehouse.connect import schema
from include.core.warehouse.errors import AccessError, ReadOnlyError

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

PRIVILEGES = {
    "spellbook_version": ("SELECT",),
    "load_log": ("SELECT", "INSERT"),
    "load_fence": ("SELECT", "INSERT", "UPDATE"),
    "load_profile": ("SELECT", "INSERT"),
    "quarantine": ("SELECT", "INSERT", "DELETE"),
}
TABLE_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
CHECK = """
    SELECT
        current_user,
        current_database(),
        current_schema(),
        current_setting('transaction_read_only') = 'on',
        ARRAY(
            SELECT format('%%s ON %%I', string_agg(privilege, ', ' ORDER BY number), relation)
            FROM unnest(%(tables)s::text[], %(privileges)s::text[])
            WITH ORDINALITY AS needed (relation, privilege, number)
            WHERE NOT has_table_privilege(to_regclass(quote_ident(relation)), privilege)
            GROUP BY relation ORDER BY relation
        ),
        has_database_privilege(current_database(), 'TEMPORARY'),
        CASE
            WHEN to_regclass('load_log') IS NULL THEN NULL
            WHEN has_sequence_privilege(pg_get_serial_sequence('load_log', 'load_id'), 'USAGE') THEN NULL
            ELSE pg_get_serial_sequence('load_log', 'load_id')
        END
"""


def require_access(session: Session, table: str) -> None:
    """Check, with one query, that the session may load ``table``; a table that doesn't exist passes.

    Raises:
        AccessError: naming what the role lacks, with the SQL that grants it.
        ReadOnlyError: if the server or the role accepts no writes.
    """
    needed = [
        (relation, privilege)
        for relation, privileges in (PRIVILEGES | {table: TABLE_PRIVILEGES}).items()
        for privilege in privileges
    ]
    tables, privileges = zip(*needed, strict=True)
    row = session.execute(CHECK, {"tables": list(tables), "privileges": list(privileges)}).fetchone()
    role, database, current_schema, read_only, lacking, may_stage, sequence = row or [None] * 7
    if current_schema is None:
        raise AccessError(
            f"role {role}: database {database} has no schema {schema()} ({WAREHOUSE_SCHEMA.name}), or the role may not"
            " use it. Migrate the warehouse (docs/deploy.md, Migrations), or have the schema's owner run:"
            f" GRANT USAGE ON SCHEMA {schema()} TO {role};"
        )
    if read_only:
        raise ReadOnlyError(
            f"database {database} is read-only for role {role}: it is a standby, or default_transaction_read_only is"
            " on. Correct the connection if it names a replica; otherwise retry when the server accepts writes again."
        )
    grants = [str(grant) for grant in lacking] if isinstance(lacking, list) else []
    if not may_stage:
        grants.append(f"TEMPORARY ON DATABASE {database}")
    if sequence:
        grants.append(f"USAGE ON SEQUENCE {sequence}")
    if grants:
        raise AccessError(
            f"role {role} may not load {table} in schema {current_schema}. Have the owner run: "
            + " ".join(f"GRANT {grant} TO {role};" for grant in grants)
        )
