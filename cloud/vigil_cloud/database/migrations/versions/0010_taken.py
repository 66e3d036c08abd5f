"""taken events: what an alarm said under its id

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('taken_events') as batch:
        batch.add_column(sa.Column('said', sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('taken_events') as batch:
        batch.drop_column('said')
