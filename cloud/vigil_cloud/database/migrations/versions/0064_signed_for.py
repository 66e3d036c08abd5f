"""programme: which round and which alarms a signature is for

Revision: 0064, after 0063
"""

import sqlalchemy as sa
from alembic import op

revision = '0064'
down_revision = '0063'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('programme_signatures') as table:
        table.add_column(sa.Column('round', sa.Integer(), nullable=True))
        table.add_column(sa.Column('digest', sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('programme_signatures') as table:
        table.drop_column('digest')
        table.drop_column('round')
