"""alerts: the priority that lists are ordered by, and indexes for each way of listing

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

_PRIORITY = (
    "CASE WHEN severity = 'info' OR (acknowledged AND confirmed AND NOT active) THEN 0"
    " WHEN acknowledged THEN"
    " CASE severity WHEN 'critical' THEN 3 WHEN 'major' THEN 2 ELSE 1 END"
    " ELSE CASE severity WHEN 'critical' THEN 6 WHEN 'major' THEN 5 ELSE 4 END END"
)
_INDEXES = {
    'ix_alerts_domain_order': ['domain', 'raised', 'id'],
    'ix_alerts_domain_priority': ['domain', 'priority', 'raised', 'id'],
    'ix_alerts_person_order': ['person_key', 'raised', 'id'],
    'ix_alerts_person_priority': ['person_key', 'priority', 'raised', 'id'],
    'ix_alerts_device_order': ['device', 'raised', 'id'],
    'ix_alerts_device_priority': ['device', 'priority', 'raised', 'id'],
    'ix_alerts_taken_order': ['acknowledged_by', 'raised', 'id'],
    'ix_alerts_taken_priority': ['acknowledged_by', 'priority', 'raised', 'id'],
}
# What the longer ones begin with needs no index of its own.
_REPLACED = {'ix_alerts_domain': 'domain', 'ix_alerts_person_key': 'person_key', 'ix_alerts_device': 'device'}


def upgrade() -> None:
    # Added as it is, not by copying the table: computed by the database from the row's own state.
    # SQLite can add a computed column that is not stored, PostgreSQL (before 18) one that is;
    # an index over it holds its values either way.
    stored = True if op.get_bind().dialect.name == 'postgresql' else None
    computed = sa.Computed(_PRIORITY, persisted=stored)
    op.add_column('alerts', sa.Column('priority', sa.SmallInteger(), computed))
    for name, columns in _INDEXES.items():
        op.create_index(name, 'alerts', columns)
    for name in _REPLACED:
        op.drop_index(name, table_name='alerts')


def downgrade() -> None:
    for name, column in _REPLACED.items():
        op.create_index(name, 'alerts', [column])
    for name in _INDEXES:
        op.drop_index(name, table_name='alerts')
    op.drop_column('alerts', 'priority')
