"""known: alarms as their fires take them; invitations that are somebody's

Revision: 0035, after 0036
"""

import sqlalchemy as sa
from alembic import op

revision = '0035'
down_revision = '0036'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('smoke_conditions') as batch_op:
        batch_op.add_column(
            sa.Column('owed_times', sa.Integer(), server_default='0', nullable=False)
        )
        batch_op.add_column(sa.Column('rings', sa.JSON(), nullable=True))


    with op.batch_alter_table('invitations') as batch_op:
        batch_op.add_column(
            sa.Column('claimed', sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    op.execute('UPDATE invitations SET claimed = (account_id IS NOT NULL OR used IS NOT NULL)')


def downgrade() -> None:
    with op.batch_alter_table('invitations') as batch_op:
        batch_op.drop_column('claimed')
    with op.batch_alter_table('smoke_conditions') as batch_op:
        batch_op.drop_column('rings')
        batch_op.drop_column('owed_times')
