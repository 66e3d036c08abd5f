"""programme: homes that get smoke alarms from the city

Revision: 0055, after 0054
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0055'
down_revision = '0054'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
Sealed = vigil_cloud.database.base.Sealed


def upgrade() -> None:
    op.create_table('programme_homes',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('household', sa.String(length=48), nullable=True),
    sa.Column('district', sa.String(length=40), nullable=True),
    sa.Column('village', sa.String(length=40), nullable=False),
    sa.Column('source', sa.String(length=12), nullable=False),
    sa.Column('risks', sa.JSON(), nullable=False),
    sa.Column('applied', UtcDateTime, nullable=False),
    sa.Column('changed', UtcDateTime, nullable=False),
    sa.Column('applied_by', sa.String(length=64), nullable=True),
    sa.Column('phase', sa.String(length=12), nullable=False),
    sa.Column('due', sa.Date(), nullable=True),
    sa.Column('state', sa.JSON(), nullable=False),
    sa.Column('particulars', Sealed('programme.home'), nullable=False),
    sa.Column('test_reminded', UtcDateTime, nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_programme_homes')),
    sa.UniqueConstraint('household', name=op.f('uq_programme_homes_household'))
    )
    op.create_index('ix_programme_homes_phase', 'programme_homes', ['phase', 'due'])
    op.create_index('ix_programme_homes_village', 'programme_homes', ['village'])
    op.create_table('programme_villages',
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('name_zh', sa.String(length=80), nullable=False),
    sa.Column('district', sa.String(length=40), nullable=True),
    sa.Column('households', sa.Integer(), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_programme_villages'))
    )
    op.create_table('programme_signatures',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('home', sa.String(length=36), nullable=False),
    sa.Column('party', sa.String(length=12), nullable=False),
    sa.Column('who', sa.String(length=64), nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.ForeignKeyConstraint(['home'], ['programme_homes.id'], name=op.f('fk_programme_signatures_home_programme_homes'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_programme_signatures'))
    )
    op.create_index(op.f('ix_programme_signatures_home'), 'programme_signatures', ['home'])
    op.create_table('programme_photos',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('home', sa.String(length=36), nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('account', sa.String(length=64), nullable=False),
    sa.Column('picture', Sealed('programme.photo'), nullable=False),
    sa.Column('away_m', sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(['home'], ['programme_homes.id'], name=op.f('fk_programme_photos_home_programme_homes'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_programme_photos'))
    )
    op.create_index(op.f('ix_programme_photos_home'), 'programme_photos', ['home'])
    op.create_table('programme_steps',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('home', sa.String(length=36), nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('what', sa.String(length=40), nullable=False),
    sa.Column('who', sa.String(length=64), nullable=True),
    sa.ForeignKeyConstraint(['home'], ['programme_homes.id'], name=op.f('fk_programme_steps_home_programme_homes'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_programme_steps'))
    )
    op.create_index(op.f('ix_programme_steps_home'), 'programme_steps', ['home'])


def downgrade() -> None:
    for table in ('steps', 'photos', 'signatures', 'villages', 'homes'):
        op.drop_table(f'programme_{table}')
