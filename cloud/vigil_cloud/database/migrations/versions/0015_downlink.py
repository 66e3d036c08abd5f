"""downlink: commands wait, expire and are sent again; configurations are reported

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op


revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('downlinks') as batch:
        batch.add_column(sa.Column('expires', sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column('again', sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column('tries', sa.Integer(), nullable=False, server_default='0'))
        batch.create_index('ix_downlinks_again', ['again'])
        batch.drop_index('ix_downlinks_sent_created')
    op.execute(sa.text('UPDATE downlinks SET again = created WHERE sent IS NULL'))
    with op.batch_alter_table('gateways') as batch:
        batch.add_column(sa.Column('description', sa.BigInteger(), nullable=False, server_default='0'))
        batch.add_column(sa.Column('configuration', sa.JSON(none_as_null=True), nullable=True))
        batch.add_column(sa.Column('configuration_time', sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column('configuration_epoch', sa.String(length=64), nullable=True))
        batch.add_column(sa.Column('configuration_sequence', sa.BigInteger(), nullable=True))
    with op.batch_alter_table('devices') as batch:
        batch.add_column(sa.Column('commands', sa.JSON(), nullable=False, server_default='[]'))


def downgrade() -> None:
    with op.batch_alter_table('devices') as batch:
        batch.drop_column('commands')
    with op.batch_alter_table('gateways') as batch:
        for name in ('configuration_sequence', 'configuration_epoch', 'configuration_time', 'configuration', 'description'):
            batch.drop_column(name)
    with op.batch_alter_table('downlinks') as batch:
        batch.create_index('ix_downlinks_sent_created', ['sent', 'created'])
        batch.drop_index('ix_downlinks_again')
        for name in ('tries', 'again', 'expires'):
            batch.drop_column(name)
