"""consents: what each opens (scopes), and from when on the footprint

A consent of an earlier release opened everything that could be opened: the last place, the whole
footprint, the live stream, and alerts. Each keeps exactly that: it is written out in its row, so
that nobody loses what they have without somebody taking it back. A consent that is written
without scopes from here on (by a process of the earlier release that still runs, too) means the
last place and the footprint: that is the column's default.

Revision: 0076, after 0075
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0076'
down_revision = '0075'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        'consents',
        sa.Column(
            'scopes', sa.String(length=64), nullable=False, server_default='last_place,footprint'
        ),
    )
    op.add_column('consents', sa.Column('footprint_from', UtcDateTime, nullable=True))
    op.execute("UPDATE consents SET scopes = 'last_place,footprint,live,alerts'")


def downgrade() -> None:
    # What opens less than everything would open everything: it ends instead.
    rows = sa.table(
        'consents',
        sa.column('revoked', UtcDateTime),
        sa.column('scopes', sa.String()),
        sa.column('footprint_from', UtcDateTime),
    )
    less = sa.or_(
        rows.c.scopes != 'last_place,footprint,live,alerts', rows.c.footprint_from.is_not(None)
    )
    op.execute(
        rows.update().where(rows.c.revoked.is_(None), less).values(revoked=datetime.now(UTC))
    )
    with op.batch_alter_table('consents') as table:
        table.drop_column('footprint_from')
        table.drop_column('scopes')
