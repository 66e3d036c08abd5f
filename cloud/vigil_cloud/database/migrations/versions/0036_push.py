"""push: browsers that asked for notifications, and the key that signs for their services

Revision: 0036, after 0030
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0036'
down_revision = '0030'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('push_keys',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('private', vigil_cloud.database.base.Sealed('push.private'), nullable=False),
    sa.Column('made', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_push_keys'))
    )
    op.create_table('push_subscriptions',
    sa.Column('channel_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('endpoint_hash', sa.String(length=64), nullable=False),
    sa.Column('session_sha256', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(
        ['account_id'],
        ['accounts.id'],
        name=op.f('fk_push_subscriptions_account_id_accounts'),
        ondelete='CASCADE',
    ),
    sa.ForeignKeyConstraint(
        ['channel_id'],
        ['channels.id'],
        name=op.f('fk_push_subscriptions_channel_id_channels'),
        ondelete='CASCADE',
    ),
    sa.PrimaryKeyConstraint('channel_id', name=op.f('pk_push_subscriptions')),
    sa.UniqueConstraint('endpoint_hash', name=op.f('uq_push_subscriptions_endpoint_hash'))
    )
    with op.batch_alter_table('push_subscriptions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_push_subscriptions_account_id'), ['account_id'])
        batch_op.create_index(batch_op.f('ix_push_subscriptions_session_sha256'), ['session_sha256'])


def downgrade() -> None:
    # What lies in these channels no older release can tell anything.
    op.execute("UPDATE channels SET enabled = false WHERE name LIKE 'push %'")
    op.drop_table('push_subscriptions')
    op.drop_table('push_keys')
