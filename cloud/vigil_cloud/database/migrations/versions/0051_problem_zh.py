"""water: why no source could be calculated, in both languages

Revision: 0051, after 0050
"""

import sqlalchemy as sa
from alembic import op

revision = '0051'
down_revision = '0050'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('water_traces', schema=None) as batch_op:
        batch_op.add_column(sa.Column('problem_zh', sa.String(length=400), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('water_traces', schema=None) as batch_op:
        batch_op.drop_column('problem_zh')
