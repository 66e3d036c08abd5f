"""Epochs in the order of meeting them, keys of old seals, what a gateway accepts

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

_TIME = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table('gateways', schema=None) as batch_op:
        batch_op.add_column(sa.Column('died', _TIME, nullable=True))
        batch_op.add_column(
            sa.Column('accepts', sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
        )
        batch_op.add_column(sa.Column('second_box_seen', _TIME, nullable=True))
        batch_op.add_column(
            sa.Column('second_box_returns', sa.BigInteger(), nullable=False, server_default='0')
        )
        batch_op.add_column(sa.Column('health_epoch', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('health_sequence', sa.BigInteger(), nullable=True))
        batch_op.add_column(
            sa.Column('lost_events', sa.BigInteger(), nullable=False, server_default='0')
        )
        batch_op.drop_column('born')
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.add_column(sa.Column('state_epoch', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('state_sequence', sa.BigInteger(), nullable=True))
    op.create_table('gateway_epochs',
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('epoch', sa.String(length=64), nullable=False),
    sa.Column('ordinal', sa.BigInteger(), nullable=False),
    sa.Column('session', sa.BigInteger(), nullable=True),
    sa.Column('first_met', _TIME, nullable=False),
    sa.PrimaryKeyConstraint('gateway', 'epoch', name=op.f('pk_gateway_epochs'))
    )
    op.create_table('gateway_keys',
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('public_key', sa.String(length=64), nullable=False),
    sa.Column('first_met', _TIME, nullable=False),
    sa.PrimaryKeyConstraint('gateway', 'public_key', name=op.f('pk_gateway_keys'))
    )
    # What was known of gateways before goes on counting.
    op.execute(
        "INSERT INTO gateway_epochs (gateway, epoch, ordinal, session, first_met)"
        " SELECT gateway, epoch, 1, session, updated FROM gateways WHERE epoch IS NOT NULL"
    )
    op.execute(
        "INSERT INTO gateway_keys (gateway, public_key, first_met)"
        " SELECT gateway, public_key, updated FROM gateways WHERE public_key IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_table('gateway_keys')
    op.drop_table('gateway_epochs')
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.drop_column('state_sequence')
        batch_op.drop_column('state_epoch')
    with op.batch_alter_table('gateways', schema=None) as batch_op:
        batch_op.add_column(sa.Column('born', _TIME, nullable=True))
        batch_op.drop_column('lost_events')
        batch_op.drop_column('health_sequence')
        batch_op.drop_column('health_epoch')
        batch_op.drop_column('second_box_returns')
        batch_op.drop_column('second_box_seen')
        batch_op.drop_column('accepts')
        batch_op.drop_column('died')
