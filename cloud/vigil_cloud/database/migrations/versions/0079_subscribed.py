"""push: when a browser subscribed, so that the one that did so longest ago makes room

Revision: 0079, after 0080
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0079'
down_revision = '0080'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('push_subscriptions') as table:
        table.add_column(sa.Column('since', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('push_subscriptions') as table:
        table.drop_column('since')
