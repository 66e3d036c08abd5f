"""identity: what was answered to requests that make something

Revision: 0085, after 0084
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0085'
down_revision = '0084'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        'answered_requests',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('account_id', sa.Integer(), nullable=False),
        sa.Column('key', sa.String(length=64), nullable=False),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('person_key', sa.String(length=64), nullable=True),
        sa.Column('answer', sa.LargeBinary(), nullable=False),
        sa.Column('at', UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ['account_id'],
            ['accounts.id'],
            name=op.f('fk_answered_requests_account_id_accounts'),
            ondelete='CASCADE',
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_answered_requests')),
        sa.UniqueConstraint('account_id', 'key', name=op.f('uq_answered_requests_account_id')),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f('ix_answered_requests_at'), 'answered_requests', ['at'])
    op.create_index(op.f('ix_answered_requests_person_key'), 'answered_requests', ['person_key'])


def downgrade() -> None:
    op.drop_table('answered_requests')
