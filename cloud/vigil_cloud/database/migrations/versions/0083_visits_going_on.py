"""checkin: an index of each person's visits that have not ended

Revision: 0083, after 0082
"""

import sqlalchemy as sa
from alembic import op

revision = '0083'
down_revision = '0082'
branch_labels = None
depends_on = None

OPEN = sa.text('departed IS NULL')


def upgrade() -> None:
    op.create_index(
        'ix_visits_going_on', 'visits', ['person_key'], sqlite_where=OPEN, postgresql_where=OPEN
    )


def downgrade() -> None:
    op.drop_index(
        'ix_visits_going_on', 'visits', sqlite_where=OPEN, postgresql_where=OPEN
    )
