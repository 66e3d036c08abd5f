"""faults: the latest moment that a clock of the platform has shown; names of accounts that are gone

Revision: 0030, after 0032
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0030'
down_revision = '0032'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('clock_mark',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('latest', UtcDateTime, nullable=False),
    sa.Column('stepped', UtcDateTime, nullable=True),
    sa.Column('step_s', sa.Float(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clock_mark'))
    )
    # Names of accounts that are gone.
    for table, column in (('cases', 'assignee'), ('fires', 'leader'), ('home_safety', 'code_set_by')):
        op.execute(
            f'UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL'
            f' AND {column} NOT IN (SELECT username FROM accounts)'
        )


def downgrade() -> None:
    op.drop_table('clock_mark')
