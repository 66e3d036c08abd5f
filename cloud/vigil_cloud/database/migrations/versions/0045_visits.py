"""visits: what is doubtful or late of them, and the rules by which people are told

Revision: 0045, after 0038
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0045'
down_revision = '0038'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
_ADDED = ('clock_quality', 'temperature_c', 'still_since', 'late', 'doubt', 'passages')


def upgrade() -> None:
    with op.batch_alter_table('visits') as batch_op:
        batch_op.add_column(sa.Column('clock_quality', sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column('temperature_c', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('still_since', UtcDateTime, nullable=True))
        batch_op.add_column(
            sa.Column('late', sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column('doubt', sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column('passages', sa.JSON(), nullable=True))
        batch_op.create_index('ix_visits_last', ['person_key', 'last_seen'])
    op.create_table('person_rules',
    sa.Column('person_key', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.Column('quiet_from', sa.Integer(), nullable=True),
    sa.Column('quiet_until', sa.Integer(), nullable=True),
    sa.Column('changed', UtcDateTime, nullable=False),
    sa.Column('reference', sa.String(length=64), nullable=True),
    sa.ForeignKeyConstraint(
        ['person_key'],
        ['persons.key'],
        name=op.f('fk_person_rules_person_key_persons'),
        ondelete='CASCADE',
    ),
    sa.PrimaryKeyConstraint('person_key', 'kind', name=op.f('pk_person_rules'))
    )
    _as_before()


def _as_before() -> None:
    """Until now each visit was told: who is enrolled already has the rule that goes on so, until
    a guardian ends it."""
    persons = sa.table('persons', sa.column('key', sa.String(64)))
    rules = sa.table(
        'person_rules',
        sa.column('person_key', sa.String(64)),
        sa.column('kind', sa.String(20)),
        sa.column('settings', sa.JSON()),
        sa.column('changed', UtcDateTime),
    )
    everybody = sa.select(
        persons.c.key,
        sa.literal('seen', sa.String(20)),
        sa.literal({}, sa.JSON()),
        sa.literal(datetime.now(UTC), UtcDateTime),
    )
    columns = ['person_key', 'kind', 'settings', 'changed']
    op.execute(sa.insert(rules).from_select(columns, everybody))


def downgrade() -> None:
    op.drop_table('person_rules')
    with op.batch_alter_table('visits') as batch_op:
        batch_op.drop_index('ix_visits_last')
        for column in reversed(_ADDED):
            batch_op.drop_column(column)
