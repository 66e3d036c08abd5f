"""water: what was found at visits to probes

Revision: 0081, after 0079
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0081'
down_revision = '0079'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        'water_visits',
        sa.Column('device', sa.String(length=64), nullable=False),
        sa.Column('parameter', sa.String(length=48), nullable=False),
        sa.Column('at', UtcDateTime, nullable=False),
        sa.Column('found', sa.JSON(), nullable=False),
        sa.Column('entered', UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint('device', 'parameter', 'at', name=op.f('pk_water_visits')),
    )


def downgrade() -> None:
    op.drop_table('water_visits')
