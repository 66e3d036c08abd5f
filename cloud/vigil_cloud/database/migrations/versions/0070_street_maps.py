"""street maps: which PMTiles file the pages draw

Revision: 0070, after 0056
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0070'
down_revision = '0056'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('street_maps',
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('object_name', sa.String(length=128), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('west', sa.Float(), nullable=False),
    sa.Column('south', sa.Float(), nullable=False),
    sa.Column('east', sa.Float(), nullable=False),
    sa.Column('north', sa.Float(), nullable=False),
    sa.Column('min_zoom', sa.Integer(), nullable=False),
    sa.Column('max_zoom', sa.Integer(), nullable=False),
    sa.Column('attribution', sa.String(length=300), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=False),
    sa.Column('imported', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pk_street_maps'))
    )


def downgrade() -> None:
    op.drop_table('street_maps')
