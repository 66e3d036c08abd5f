"""water: incidents, the register of waterways, orders to close gates

Revision: 0027, after 0024
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0027'
down_revision = '0024'
branch_labels = None
depends_on = None

_TIME = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('water_incidents',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.Column('founder', sa.String(length=130), nullable=False),
    sa.Column('started', _TIME, nullable=False),
    sa.Column('ended', _TIME, nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_water_incidents'))
    )
    with op.batch_alter_table('water_incidents', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_water_incidents_alert_id'), ['alert_id'], unique=False)
        batch_op.create_index('ix_water_incidents_started', ['started'], unique=False)

    with op.batch_alter_table('water_excursions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('incident', sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f('ix_water_excursions_incident'), ['incident'], unique=False)

    op.create_table('water_incident_rules',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('join_minutes', sa.Float(), nullable=False),
    sa.Column('reopen_minutes', sa.Float(), nullable=False),
    sa.Column('neighbour_m', sa.Float(), nullable=False),
    sa.Column('longest_hours', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_water_incident_rules'))
    )
    op.create_table('water_reaches',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('name_zh', sa.String(length=120), nullable=False),
    sa.Column('from_node', sa.String(length=40), nullable=False),
    sa.Column('to_node', sa.String(length=40), nullable=False),
    sa.Column('line', sa.JSON(), nullable=False),
    sa.Column('length_m', sa.Float(), nullable=False),
    sa.Column('slope', sa.Float(), nullable=True),
    sa.Column('area_m2', sa.Float(), nullable=True),
    sa.Column('flow_m3_s', sa.Float(), nullable=True),
    sa.Column('velocity_m_s', sa.Float(), nullable=True),
    sa.Column('dispersion_m2_s', sa.Float(), nullable=True),
    sa.Column('travel_s', sa.Float(), nullable=True),
    sa.Column('reversible', sa.Boolean(), nullable=False),
    sa.Column('updated', _TIME, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_water_reaches'))
    )
    op.create_table('water_areas',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('name_zh', sa.String(length=120), nullable=False),
    sa.Column('corners', sa.JSON(), nullable=False),
    sa.Column('updated', _TIME, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_water_areas'))
    )
    op.create_table('water_points',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('reach', sa.String(length=40), nullable=False),
    sa.Column('offset_m', sa.Float(), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=False),
    sa.Column('longitude', sa.Float(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('name_zh', sa.String(length=120), nullable=False),
    sa.Column('device', sa.String(length=64), nullable=True),
    sa.Column('permit', sa.String(length=60), nullable=False),
    sa.Column('owner', sa.LargeBinary(), nullable=True),
    sa.Column('owner_is_person', sa.Boolean(), nullable=False),
    sa.Column('area', sa.String(length=40), nullable=True),
    sa.Column('updated', _TIME, nullable=False),
    sa.ForeignKeyConstraint(['reach'], ['water_reaches.id'], name=op.f('fk_water_points_reach_water_reaches'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_water_points')),
    sa.UniqueConstraint('device', name=op.f('uq_water_points_device'))
    )
    with op.batch_alter_table('water_points', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_water_points_reach'), ['reach'], unique=False)

    op.create_table('irrigation_orders',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('cause', sa.String(length=36), nullable=False),
    sa.Column('gate', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('name_zh', sa.String(length=120), nullable=False),
    sa.Column('area', sa.String(length=120), nullable=False),
    sa.Column('area_zh', sa.String(length=120), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=False),
    sa.Column('longitude', sa.Float(), nullable=False),
    sa.Column('district', sa.String(length=40), nullable=True),
    sa.Column('arrival', _TIME, nullable=True),
    sa.Column('asked', _TIME, nullable=False),
    sa.Column('asked_by', sa.String(length=64), nullable=False),
    sa.Column('closed', _TIME, nullable=True),
    sa.Column('closed_by', sa.String(length=64), nullable=True),
    sa.Column('released', _TIME, nullable=True),
    sa.Column('released_by', sa.String(length=64), nullable=True),
    sa.Column('may_open', _TIME, nullable=True),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_irrigation_orders'))
    )
    with op.batch_alter_table('irrigation_orders', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_irrigation_orders_asked'), ['asked'], unique=False)
        batch_op.create_index('ix_irrigation_orders_cause', ['cause', 'gate'], unique=False)


def downgrade() -> None:
    op.drop_table('irrigation_orders')
    op.drop_table('water_points')
    op.drop_table('water_areas')
    op.drop_table('water_reaches')
    op.drop_table('water_incident_rules')
    with op.batch_alter_table('water_excursions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_water_excursions_incident'))
        batch_op.drop_column('incident')

    op.drop_table('water_incidents')
