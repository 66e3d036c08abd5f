"""rotating: keys of beacons whose id rotates

Revision: 0046, after 0045
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0046'
down_revision = '0045'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('rotating_beacons',
    sa.Column('tag', sa.String(length=140), nullable=False),
    sa.Column('key', vigil_cloud.database.base.Sealed('beacon.key'), nullable=False),
    sa.Column('exponent', sa.Integer(), nullable=False),
    sa.Column('zero', UtcDateTime, nullable=False),
    sa.Column('offset_low_s', sa.Float(), nullable=False),
    sa.Column('offset_high_s', sa.Float(), nullable=False),
    sa.Column('offset_at', UtcDateTime, nullable=False),
    sa.Column('changed', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('tag', name=op.f('pk_rotating_beacons'))
    )


def downgrade() -> None:
    # Whoever carries one is heard by no older release.
    op.execute("DELETE FROM tags WHERE tag LIKE 'rotating:%'")
    op.execute("DELETE FROM amulets WHERE tag LIKE 'rotating:%'")
    op.drop_table('rotating_beacons')
