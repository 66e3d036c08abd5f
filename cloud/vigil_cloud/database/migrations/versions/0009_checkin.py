"""visits: silence of their station, its clock, the tag's battery

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('visits') as batch:
        batch.add_column(sa.Column('battery_mv', sa.Integer(), nullable=True))
        batch.add_column(
            sa.Column(
                'silent_since',
                vigil_cloud.database.base.UtcDateTime(timezone=True),
                nullable=True,
            )
        )
        batch.add_column(sa.Column('clock_offset_s', sa.Float(), nullable=True))
        batch.create_index('ix_visits_open', ['departed', 'gateway'])


def downgrade() -> None:
    with op.batch_alter_table('visits') as batch:
        batch.drop_index('ix_visits_open')
        for column in ('battery_mv', 'silent_since', 'clock_offset_s'):
            batch.drop_column(column)
