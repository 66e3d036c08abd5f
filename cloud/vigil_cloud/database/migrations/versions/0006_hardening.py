"""Shares of dead letters, what was dropped, where readiness writes, alerts by gateway

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

_TIME = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table('dead_letters', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('kept', sa.BigInteger(), nullable=False, server_default='0')
        )
        batch_op.create_index(
            'ix_dead_letters_share', ['gateway', 'alarm', 'last_received', 'kept'], unique=False
        )
    # Those of before count as well.
    op.execute("UPDATE dead_letters SET kept = length(payload) + length(detail) + 512")
    op.create_table('dropped',
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('kind', sa.String(length=24), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('last', _TIME, nullable=False),
    sa.PrimaryKeyConstraint('gateway', 'kind', name=op.f('pk_dropped'))
    )
    with op.batch_alter_table('dropped', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dropped_last'), ['last'], unique=False)
    op.create_table('write_probe',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_write_probe'))
    )
    with op.batch_alter_table('alerts', schema=None) as batch_op:
        batch_op.create_index('ix_alerts_gateway_raised', ['gateway', 'raised'], unique=False)
    with op.batch_alter_table('evidence', schema=None) as batch_op:
        batch_op.create_index('ix_evidence_gateway_stored', ['gateway', 'stored', 'size'])


def downgrade() -> None:
    with op.batch_alter_table('evidence', schema=None) as batch_op:
        batch_op.drop_index('ix_evidence_gateway_stored')
    with op.batch_alter_table('alerts', schema=None) as batch_op:
        batch_op.drop_index('ix_alerts_gateway_raised')
    op.drop_table('write_probe')
    op.drop_table('dropped')
    with op.batch_alter_table('dead_letters', schema=None) as batch_op:
        batch_op.drop_index('ix_dead_letters_share')
        batch_op.drop_column('kept')
