"""noise: levels by the hour

Revision: 0061, after 0060
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0061'
down_revision = '0060'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('noise_level_hours',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('hour', UtcDateTime, nullable=False),
    sa.Column('asked', sa.Integer(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('seconds', sa.Integer(), nullable=False),
    sa.Column('LAeq', sa.Float(), nullable=True),
    sa.Column('LAFmax', sa.Float(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_noise_level_hours')),
    sa.UniqueConstraint('device', 'hour', name=op.f('uq_noise_level_hours_device'))
    )
    op.create_index(op.f('ix_noise_level_hours_hour'), 'noise_level_hours', ['hour'])


def downgrade() -> None:
    op.drop_index(op.f('ix_noise_level_hours_hour'), table_name='noise_level_hours')
    op.drop_table('noise_level_hours')
