"""stolen things on the watch list, stations that move, and old rotating ids

Revision: 0063, after 0062
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0063'
down_revision = '0062'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
_WATCHED_FOR = timedelta(days=30)
_PLACED = ('position_state', 'latitude', 'longitude', 'within_m')


def upgrade() -> None:
    with op.batch_alter_table('watches') as batch_op:
        batch_op.add_column(sa.Column('tag', sa.String(length=140), nullable=True))
    for table in ('visits', 'search_hits'):
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column('position_state', sa.String(length=12), nullable=True))
            batch_op.add_column(sa.Column('latitude', sa.Float(), nullable=True))
            batch_op.add_column(sa.Column('longitude', sa.Float(), nullable=True))
            batch_op.add_column(sa.Column('within_m', sa.Float(), nullable=True))
    with op.batch_alter_table('visits') as batch_op:
        batch_op.add_column(sa.Column('position_at', UtcDateTime, nullable=True))
    op.create_table('late_visits',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('block', sa.Integer(), nullable=False),
    sa.Column('envelope', sa.JSON(), nullable=False),
    sa.Column('marks', sa.JSON(), nullable=False),
    sa.Column('received', UtcDateTime, nullable=False),
    sa.Column('tries', sa.Integer(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_late_visits')),
    )
    op.create_index('ix_late_visits_next', 'late_visits', ['tries', 'block', 'id'])
    _watch_stolen_things()


def _watch_stolen_things() -> None:
    """Those that are reported stolen now: their cases began before there was a list for them."""
    connection = op.get_bind()
    names = ('tag', 'person_key', 'case_id', 'stolen')
    things = sa.table('things', *(sa.column(name) for name in names))
    watches = sa.table(
        'watches', sa.column('case_id'), sa.column('person_key'), sa.column('tag'),
        sa.column('until', UtcDateTime),
    )
    stolen = sa.select(things.c.case_id, things.c.person_key, things.c.tag).where(
        things.c.stolen.is_not(None), things.c.case_id.is_not(None)
    )
    until = datetime.now(UTC) + _WATCHED_FOR
    for case_id, person_key, tag in connection.execute(stolen).all():
        row = {'case_id': case_id, 'person_key': person_key, 'tag': tag, 'until': until}
        connection.execute(sa.insert(watches).values(row))


def downgrade() -> None:
    op.drop_table('late_visits')
    op.execute('DELETE FROM watches WHERE tag IS NOT NULL')
    with op.batch_alter_table('watches') as batch_op:
        batch_op.drop_column('tag')
    with op.batch_alter_table('visits') as batch_op:
        batch_op.drop_column('position_at')
    for table in ('search_hits', 'visits'):
        with op.batch_alter_table(table) as batch_op:
            for name in _PLACED:
                batch_op.drop_column(name)
