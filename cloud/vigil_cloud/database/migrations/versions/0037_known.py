"""known: an alert that is called on is not done, whoever confirmed it; one of a closed case is

Revision: 0037, after 0041
"""

import sqlalchemy as sa
from alembic import op

revision = '0037'
down_revision = '0041'
branch_labels = None
depends_on = None

_PRIORITY = (
    "CASE WHEN severity = 'info'"
    " OR (acknowledged AND confirmed AND NOT active{called_on}) THEN 0"
    " WHEN acknowledged THEN"
    " CASE severity WHEN 'critical' THEN 3 WHEN 'major' THEN 2 ELSE 1 END"
    " ELSE CASE severity WHEN 'critical' THEN 6 WHEN 'major' THEN 5 ELSE 4 END END"
)
_INDEXES = {
    'ix_alerts_domain_priority': ['domain', 'priority', 'raised', 'id'],
    'ix_alerts_person_priority': ['person_key', 'priority', 'raised', 'id'],
    'ix_alerts_case_priority': ['case_id', 'priority', 'raised', 'id'],
    'ix_alerts_household_priority': ['household', 'priority', 'raised', 'id'],
    'ix_alerts_district_priority': ['domain', 'district', 'priority', 'raised', 'id'],
    'ix_alerts_device_priority': ['device', 'priority', 'raised', 'id'],
    'ix_alerts_taken_priority': ['acknowledged_by', 'priority', 'raised', 'id'],
}


def upgrade() -> None:
    _compute(_PRIORITY.format(called_on=' AND NOT called_on'))
    # What was closed before cases settled their alerts waits for nobody any more.
    op.execute(
        "UPDATE alerts SET acknowledged = true, confirmed = true, active = false"
        " WHERE NOT called_on AND (momentary OR NOT active) AND id IN ("
        "SELECT case_alerts.alert_id FROM case_alerts JOIN cases ON cases.id = case_alerts.case_id"
        " WHERE cases.state = 'closed')"
    )


def downgrade() -> None:
    _compute(_PRIORITY.format(called_on=''))


def _compute(expression: str) -> None:
    """The column anew, without copying the table: as it was made in 0005."""
    for name in _INDEXES:
        op.drop_index(name, table_name='alerts')
    op.drop_column('alerts', 'priority')
    stored = True if op.get_bind().dialect.name == 'postgresql' else None
    computed = sa.Computed(expression, persisted=stored)
    op.add_column('alerts', sa.Column('priority', sa.SmallInteger(), computed))
    for name, columns in _INDEXES.items():
        op.create_index(name, 'alerts', columns)
