"""fire: fires of homes, what homes say for their case, calls to 119 that are taken back

Revision: 0028, after 0027
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('fires',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('home', sa.String(length=80), nullable=False),
    sa.Column('household', sa.String(length=48), nullable=True),
    sa.Column('district', sa.String(length=40), nullable=True),
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.Column('case_id', sa.String(length=36), nullable=True),
    sa.Column('place', sa.String(length=300), nullable=False),
    sa.Column('place_zh', sa.String(length=300), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('opened', UtcDateTime, nullable=False),
    sa.Column('phase', sa.String(length=12), nullable=False),
    sa.Column('due', UtcDateTime, nullable=True),
    sa.Column('to_do', sa.Boolean(), nullable=False),
    sa.Column('state', sa.JSON(), nullable=False),
    sa.Column('done', sa.JSON(), nullable=False),
    sa.Column('leader', sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fires'))
    )
    with op.batch_alter_table('fires', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fires_alert_id'), ['alert_id'], unique=False)
        batch_op.create_index('ix_fires_home_phase', ['home', 'phase'], unique=False)
        batch_op.create_index(batch_op.f('ix_fires_household'), ['household'], unique=False)
        batch_op.create_index('ix_fires_opened', ['opened'], unique=False)
        batch_op.create_index('ix_fires_to_do', ['to_do'], unique=False)

    op.create_table('fire_alarms',
    sa.Column('reference', sa.String(length=130), nullable=False),
    sa.Column('fire', sa.String(length=36), nullable=False),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(
        ['fire'], ['fires.id'], name=op.f('fk_fire_alarms_fire_fires'), ondelete='CASCADE'
    ),
    sa.PrimaryKeyConstraint('reference', name=op.f('pk_fire_alarms'))
    )
    with op.batch_alter_table('fire_alarms', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fire_alarms_alert_id'), ['alert_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_fire_alarms_fire'), ['fire'], unique=False)

    op.create_table('fire_steps',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('fire', sa.String(length=36), nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('what', sa.String(length=40), nullable=False),
    sa.Column('who', sa.String(length=120), nullable=True),
    sa.ForeignKeyConstraint(
        ['fire'], ['fires.id'], name=op.f('fk_fire_steps_fire_fires'), ondelete='CASCADE'
    ),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fire_steps'))
    )
    with op.batch_alter_table('fire_steps', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fire_steps_fire'), ['fire'], unique=False)

    op.create_table('home_safety',
    sa.Column('household', sa.String(length=48), nullable=False),
    sa.Column('window_s', sa.Integer(), nullable=False),
    sa.Column(
        'particulars',
        vigil_cloud.database.base.Sealed('home.safety'),
        nullable=True,
    ),
    sa.Column('code_hash', sa.String(length=255), nullable=True),
    sa.Column('code_set', UtcDateTime, nullable=True),
    sa.Column('code_set_by', sa.String(length=64), nullable=True),
    sa.Column('wrong', sa.Integer(), nullable=False),
    sa.Column('locked_until', UtcDateTime, nullable=True),
    sa.Column('locks', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(
        ['household'],
        ['households.key'],
        name=op.f('fk_home_safety_household_households'),
        ondelete='CASCADE',
    ),
    sa.PrimaryKeyConstraint('household', name=op.f('pk_home_safety'))
    )

    with op.batch_alter_table('emergency_calls', schema=None) as batch_op:
        batch_op.add_column(sa.Column('takes_back', sa.String(length=160), nullable=True))
        batch_op.add_column(sa.Column('withdrawn', UtcDateTime, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('emergency_calls', schema=None) as batch_op:
        batch_op.drop_column('withdrawn')
        batch_op.drop_column('takes_back')
    op.drop_table('home_safety')
    op.drop_table('fire_steps')
    op.drop_table('fire_alarms')
    op.drop_table('fires')
