"""notify: names of 32 and 96 characters, an end of what is out of service, what is put aside in a row

Revision: 0023, after 0025
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0023'
down_revision = '0025'
branch_labels = None
depends_on = None

_WIDTHS = (
    ("alerts", "domain", 16, 32, False),
    ("alerts", "acknowledged_by", 64, 96, True),
    ("alert_history", "account", 64, 96, True),
    ("audit_log", "account", 64, 96, False),
    ("devices", "domain", 16, 32, False),
    ("newest_readings", "domain", 16, 32, False),
    ("escalation_policies", "domain", 16, 32, False),
    ("feed", "kind", 16, 32, False),
)
"""Table, column, width before and after, nullable. A domain's name has 32 characters at most, and
``channel NAME`` of whoever answers without an account 88."""
_MOMENTS = ("out_of_service_until", "aside_since", "aside_until")


def _time(name: str) -> sa.Column[datetime]:
    return sa.Column(name, vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True)


def upgrade() -> None:
    for table, column, before, after, nullable in _WIDTHS:
        _set_width(table, column, before, after, nullable)
    # Plainly, and not in batch mode: see 0019.
    for name in _MOMENTS:
        op.add_column("alerts", _time(name))
    op.create_index(
        "ix_alerts_out_of_service",
        "alerts",
        ["out_of_service_until"],
        unique=False,
        sqlite_where=sa.text("out_of_service"),
        postgresql_where=sa.text("out_of_service"),
    )
    _mend_cut_names()


def _set_width(table: str, column: str, before: int, after: int, nullable: bool) -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(
            table,
            column,
            existing_type=sa.String(length=before),
            type_=sa.String(length=after),
            existing_nullable=nullable,
        )
        return
    # SQLite enforces no width, so that only what it remembers of the table changes: "Making Other
    # Kinds Of Table Schema Changes" of its documentation. Copying the largest tables would take
    # as long as they are large, and lose the computed column of alerts.
    bind = op.get_bind()
    old, new = f"{column} VARCHAR({before})", f"{column} VARCHAR({after})"
    found = bind.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"),
        {"name": table},
    ).scalar_one()
    if found.count(f"\t{old}") + found.count(f" {old}") != 1:
        raise RuntimeError(f"{table}.{column} is not as earlier revisions left it")
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    bind.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :old, :new)"
            " WHERE type = 'table' AND name = :name"
        ),
        {"old": old, "new": new, "name": table},
    )
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")


def _mend_cut_names() -> None:
    """Names of channels were cut at 64 characters where an alert says who has it: then who had
    accepted could not give it back. What fits one channel alone is that one's."""
    for table, column in (("alerts", "acknowledged_by"), ("alert_history", "account")):
        whole = (
            f"SELECT 'channel ' || channels.name FROM channels"
            f" WHERE substr('channel ' || channels.name, 1, 64) = {table}.{column}"
        )
        op.execute(
            f"UPDATE {table} SET {column} = ({whole})"
            f" WHERE length({column}) = 64 AND substr({column}, 1, 8) = 'channel '"
            f" AND (SELECT COUNT(*) FROM channels"
            f" WHERE substr('channel ' || channels.name, 1, 64) = {table}.{column}) = 1"
        )


def downgrade() -> None:
    for table, column in (("alerts", "acknowledged_by"), ("alert_history", "account")):
        op.execute(f"UPDATE {table} SET {column} = substr({column}, 1, 64)")
    op.drop_index("ix_alerts_out_of_service", table_name="alerts")
    for name in reversed(_MOMENTS):
        op.drop_column("alerts", name)
    for table, column, before, after, nullable in _WIDTHS:
        _set_width(table, column, after, before, nullable)
