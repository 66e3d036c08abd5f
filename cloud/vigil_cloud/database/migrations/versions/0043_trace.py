"""water: where discharges came from, velocities as a series, factors of stations, standing water

Revision: 0043, after 0046
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0043'
down_revision = '0046'
branch_labels = None
depends_on = None

_TIME = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table('water_reaches', schema=None) as batch_op:
        for name in ('storage_area_m2', 'exchange_1_s', 'decay_1_s'):
            batch_op.add_column(sa.Column(name, sa.Float(), nullable=True))
    with op.batch_alter_table('water_points', schema=None) as batch_op:
        batch_op.add_column(sa.Column('g_m3_per_s_m', sa.Float(), nullable=True))
    op.create_table('water_velocities',
    sa.Column('reach', sa.String(length=40), nullable=False),
    sa.Column('at', _TIME, nullable=False),
    sa.Column('velocity_m_s', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['reach'], ['water_reaches.id'], name=op.f('fk_water_velocities_reach_water_reaches'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('reach', 'at', name=op.f('pk_water_velocities'))
    )
    op.create_table('water_traces',
    sa.Column('incident', sa.String(length=36), nullable=False),
    sa.Column('at', _TIME, nullable=False),
    sa.Column('problem', sa.String(length=400), nullable=True),
    sa.Column('result', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['incident'], ['water_incidents.id'], name=op.f('fk_water_traces_incident_water_incidents'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('incident', name=op.f('pk_water_traces'))
    )


def downgrade() -> None:
    op.drop_table('water_traces')
    op.drop_table('water_velocities')
    with op.batch_alter_table('water_points', schema=None) as batch_op:
        batch_op.drop_column('g_m3_per_s_m')
    with op.batch_alter_table('water_reaches', schema=None) as batch_op:
        for name in ('decay_1_s', 'exchange_1_s', 'storage_area_m2'):
            batch_op.drop_column(name)
