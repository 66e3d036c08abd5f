"""AED: cohorts and hours of volunteers, testers and photographs of patrols, thanks and debriefs

Revision: 0065, after 0064
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0065'
down_revision = '0064'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
Sealed = vigil_cloud.database.base.Sealed


def upgrade() -> None:
    op.create_table('aed_cohorts',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('name_zh', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('hours', sa.String(length=255), nullable=False),
    sa.Column('speed_mps', sa.Float(), nullable=True),
    sa.Column('updated', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aed_cohorts'))
    )
    with op.batch_alter_table('aed_volunteers') as table:
        table.add_column(sa.Column('cohort', sa.String(length=40), nullable=True))
        table.add_column(sa.Column('hours', sa.String(length=255), nullable=False, server_default=''))
        table.create_index(op.f('ix_aed_volunteers_cohort'), ['cohort'])
    with op.batch_alter_table('aed_patrols') as table:
        table.add_column(sa.Column('tester', sa.JSON(), nullable=True))
    op.create_table('aed_patrol_photos',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('site', sa.String(length=40), nullable=False),
    sa.Column('patrol', sa.Integer(), nullable=True),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('account', sa.String(length=64), nullable=False),
    sa.Column('picture', Sealed('aed.patrol.photo'), nullable=False),
    sa.ForeignKeyConstraint(['site'], ['aed_sites.id'], name=op.f('fk_aed_patrol_photos_site_aed_sites'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['patrol'], ['aed_patrols.id'], name=op.f('fk_aed_patrol_photos_patrol_aed_patrols'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aed_patrol_photos'))
    )
    op.create_index(op.f('ix_aed_patrol_photos_site'), 'aed_patrol_photos', ['site'])
    op.create_index(op.f('ix_aed_patrol_photos_patrol'), 'aed_patrol_photos', ['patrol'])
    with op.batch_alter_table('aed_callouts') as table:
        table.add_column(sa.Column('thanked', sa.String(length=200), nullable=False, server_default=''))
        table.add_column(sa.Column('debriefed', UtcDateTime, nullable=True))
        table.add_column(sa.Column('debrief', Sealed('aed.debrief'), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('aed_callouts') as table:
        for column in ('debrief', 'debriefed', 'thanked'):
            table.drop_column(column)
    op.drop_table('aed_patrol_photos')
    with op.batch_alter_table('aed_patrols') as table:
        table.drop_column('tester')
    with op.batch_alter_table('aed_volunteers') as table:
        table.drop_index(op.f('ix_aed_volunteers_cohort'))
        table.drop_column('hours')
        table.drop_column('cohort')
    op.drop_table('aed_cohorts')
