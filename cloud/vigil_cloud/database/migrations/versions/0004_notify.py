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
        batch_op.create_index('ix_alerts_standing', ['active', 'acknowledged', 'severity'], unique=False)

    with op.batch_alter_table('channels', schema=None) as batch_op:
        batch_op.add_column(sa.Column('devices', sa.JSON(), nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('paced', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('held_until', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('failing_since', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('failures', sa.Integer(), nullable=False, server_default='0'))

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.add_column(sa.Column('round', sa.String(length=60), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('queued', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('unanswered', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('perhaps_told', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('leased_until', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('reason', sa.String(length=24), nullable=True))
        batch_op.drop_constraint(batch_op.f('uq_deliveries_alert_id'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_deliveries_alert_id'), ['alert_id', 'channel_id', 'round'])

    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.add_column(sa.Column('out_of_service_until', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))

    with op.batch_alter_table('gateways', schema=None) as batch_op:
        batch_op.add_column(sa.Column('clock_mark', sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column('out_of_service_until', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('gateways', schema=None) as batch_op:
        batch_op.drop_column('out_of_service_until')
        batch_op.drop_column('clock_mark')

    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.drop_column('out_of_service_until')

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_deliveries_alert_id'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_deliveries_alert_id'), ['alert_id', 'channel_id'])
        for name in ('reason', 'leased_until', 'perhaps_told', 'unanswered', 'queued', 'round'):
            batch_op.drop_column(name)

    with op.batch_alter_table('channels', schema=None) as batch_op:
        for name in ('failures', 'failing_since', 'held_until', 'paced', 'devices'):
            batch_op.drop_column(name)

    with op.batch_alter_table('alerts', schema=None) as batch_op:
        batch_op.drop_index('ix_alerts_standing')
        batch_op.drop_column('reminded')
        batch_op.drop_column('audience')
