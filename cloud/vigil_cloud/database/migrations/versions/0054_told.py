"""told: what a channel was told lately is found by its moment

Revision: 0054, after 0051
"""

from alembic import op

revision = '0054'
down_revision = '0051'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_deliveries_told', 'deliveries', ['channel_id', 'at'])


def downgrade() -> None:
    op.drop_index('ix_deliveries_told', table_name='deliveries')
