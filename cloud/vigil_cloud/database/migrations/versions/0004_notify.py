"""notify

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('alerts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('audience', sa.String(length=24), nullable=False, server_default='all'))
        batch_op.add_column(sa.Column('reminded', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))

    with op.batch_alter_table('channels', schema=None) as batch_op:
        batch_op.add_column(sa.Column('devices', sa.JSON(), nullable=False, server_default='[]'))

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.add_column(sa.Column('round', sa.String(length=60), nullable=False, server_default=''))
        batch_op.drop_constraint(batch_op.f('uq_deliveries_alert_id'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_deliveries_alert_id'), ['alert_id', 'channel_id', 'round'])


def downgrade() -> None:
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_deliveries_alert_id'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_deliveries_alert_id'), ['alert_id', 'channel_id'])
        batch_op.drop_column('round')

    with op.batch_alter_table('channels', schema=None) as batch_op:
        batch_op.drop_column('devices')

    with op.batch_alter_table('alerts', schema=None) as batch_op:
        batch_op.drop_column('reminded')
        batch_op.drop_column('audience')
