"""certificates: since when a broker lets nobody end a revoked one's session

Revision: 0075, after 0074
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0075'
down_revision = '0074'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.add_column('gateway_certificates', sa.Column('session_open', UtcDateTime, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('gateway_certificates') as table:
        table.drop_column('session_open')
