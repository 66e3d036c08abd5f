"""fanout: an outbox of alerts; a delivery says why it is told

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'alert_outbox',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('alert_id', sa.String(length=36), nullable=False),
        sa.Column('gateway', sa.String(length=63), nullable=False),
        sa.Column('urgent', sa.Boolean(), nullable=False),
        sa.Column('at', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column('purpose', sa.String(length=16), nullable=False),
        sa.Column('step', sa.String(length=60), nullable=False),
        sa.Column('severity', sa.String(length=16), nullable=False),
        sa.Column('audience', sa.String(length=24), nullable=False),
        sa.Column('home_of', sa.String(length=64), nullable=False),
        sa.Column('reached', sa.Integer(), nullable=False),
        sa.Column('not_before', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['alert_id'], ['alerts.id'], name=op.f('fk_alert_outbox_alert_id_alerts'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_outbox')),
    )
    with op.batch_alter_table('alert_outbox', schema=None) as batch_op:
        batch_op.create_index('ix_alert_outbox_order', ['urgent', 'gateway', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_alert_outbox_alert_id'), ['alert_id'], unique=False)

    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_deliveries_alert_id'), type_='unique')
        batch_op.alter_column('round', new_column_name='step', existing_type=sa.String(length=60), existing_nullable=False, existing_server_default='')
        batch_op.add_column(sa.Column('purpose', sa.String(length=16), nullable=False, server_default='raised'))
    op.execute("UPDATE deliveries SET purpose = 'reminder', step = '' WHERE step = 'reminder'")
    op.execute("UPDATE deliveries SET purpose = 'again' WHERE step <> ''")
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.create_unique_constraint(batch_op.f('uq_deliveries_alert_id'), ['alert_id', 'channel_id', 'purpose', 'step'])


def downgrade() -> None:
    op.execute("DELETE FROM deliveries WHERE purpose NOT IN ('raised', 'again', 'reminder')")
    op.execute("UPDATE deliveries SET step = 'reminder' WHERE purpose = 'reminder'")
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_deliveries_alert_id'), type_='unique')
        batch_op.alter_column('step', new_column_name='round', existing_type=sa.String(length=60), existing_nullable=False, existing_server_default='')
        batch_op.drop_column('purpose')
        batch_op.create_unique_constraint(batch_op.f('uq_deliveries_alert_id'), ['alert_id', 'channel_id', 'round'])
    op.drop_table('alert_outbox')
