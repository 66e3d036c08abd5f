"""notify: what people were told of rights that end

Revision: 0080, after 0078
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0080'
down_revision = '0078'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        'ends_told',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('what', sa.String(length=80), nullable=False),
        sa.Column('account_id', sa.Integer(), nullable=False),
        sa.Column('ends', UtcDateTime, nullable=False),
        sa.Column('step', sa.String(length=8), nullable=False),
        sa.Column('at', UtcDateTime, nullable=False),
        sa.Column('told', sa.String(length=200), nullable=False),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('again', UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_ends_told_account_id_accounts'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_ends_told')),
        sa.UniqueConstraint('what', 'account_id', name=op.f('uq_ends_told_what')),
    )
    op.create_index(op.f('ix_ends_told_account_id'), 'ends_told', ['account_id'])


def downgrade() -> None:
    op.drop_index(op.f('ix_ends_told_account_id'), table_name='ends_told')
    op.drop_table('ends_told')
