"""phone sightings: when they came in; things: since when they are parked

Revision: 0056, after 0031
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0056'
down_revision = '0031'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table('phone_sightings') as table:
        table.add_column(sa.Column('received', UtcDateTime, nullable=True))
    op.execute('UPDATE phone_sightings SET received = "at"')
    with op.batch_alter_table('phone_sightings') as table:
        table.alter_column('received', existing_type=UtcDateTime, nullable=False)
    with op.batch_alter_table('things') as table:
        table.add_column(sa.Column('guarded', UtcDateTime, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('things') as table:
        table.drop_column('guarded')
    with op.batch_alter_table('phone_sightings') as table:
        table.drop_column('received')
