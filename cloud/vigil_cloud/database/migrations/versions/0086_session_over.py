"""certificates: whether whoever was connected with a revoked one is out for good

Revision: 0086, after 0085
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0086'
down_revision = '0085'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
LOOKED_BACK = timedelta(days=1)
"""So far back a process looked at its start before this: what is older it left alone."""


def upgrade() -> None:
    op.add_column(
        'gateway_certificates',
        sa.Column('session_over', sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    made = sa.table(
        'gateway_certificates',
        sa.column('revoked', UtcDateTime),
        sa.column('session_open', UtcDateTime),
        sa.column('session_over', sa.Boolean),
    )
    old = made.c.revoked < datetime.now(UTC) - LOOKED_BACK
    op.execute(made.update().where(old, made.c.session_open.is_(None)).values(session_over=True))


def downgrade() -> None:
    with op.batch_alter_table('gateway_certificates') as table:
        table.drop_column('session_over')
