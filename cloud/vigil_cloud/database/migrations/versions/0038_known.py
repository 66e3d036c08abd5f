"""known: mailboxes that are asked before they are told of a station

Revision: 0038, after 0037
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0038'
down_revision = '0037'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('station_addresses',
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('address', sa.LargeBinary(), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('nonce', sa.String(length=32), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('asked', UtcDateTime, nullable=False),
    sa.Column('sent', UtcDateTime, nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('again', UtcDateTime, nullable=False),
    sa.Column('error', sa.String(length=300), nullable=True),
    sa.ForeignKeyConstraint(
        ['device'], ['station_hosts.device'],
        name=op.f('fk_station_addresses_device_station_hosts'), ondelete='CASCADE',
    ),
    sa.PrimaryKeyConstraint('device', name=op.f('pk_station_addresses')),
    sa.UniqueConstraint('sha256', name=op.f('uq_station_addresses_sha256'))
    )


def downgrade() -> None:
    op.drop_table('station_addresses')
