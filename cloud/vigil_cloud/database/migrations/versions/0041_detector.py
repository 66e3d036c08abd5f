"""detector: what it has learnt of each probe, what it found, the rate of false alarms

Revision: 0041, after 0035
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0041'
down_revision = '0035'
branch_labels = None
depends_on = None

_TIME = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('water_detectors',
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('state', sa.LargeBinary(), nullable=True),
    sa.Column('until_us', sa.BigInteger(), nullable=False),
    sa.Column('asked_us', sa.BigInteger(), nullable=False),
    sa.Column('armed_us', sa.BigInteger(), nullable=False),
    sa.Column('interval_s', sa.Float(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('score', sa.Float(), nullable=False),
    sa.Column('flags', sa.JSON(), nullable=False),
    sa.Column('error', sa.String(length=200), nullable=True),
    sa.Column('error_at', _TIME, nullable=True),
    sa.PrimaryKeyConstraint('device', name=op.f('pk_water_detectors'))
    )
    op.create_table('water_anomalies',
    sa.Column('id', sa.String(length=190), nullable=False),
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('parameter', sa.String(length=48), nullable=False),
    sa.Column('type', sa.String(length=8), nullable=False),
    sa.Column('reason', sa.String(length=24), nullable=False),
    sa.Column('started', _TIME, nullable=False),
    sa.Column('found', _TIME, nullable=False),
    sa.Column('last', _TIME, nullable=False),
    sa.Column('ended', _TIME, nullable=True),
    sa.Column('onset_value', sa.Float(), nullable=True),
    sa.Column('extreme_value', sa.Float(), nullable=True),
    sa.Column('by', sa.Float(), nullable=True),
    sa.Column('score', sa.Float(), nullable=False),
    sa.Column('late', sa.Boolean(), nullable=False),
    sa.Column('learning', sa.Boolean(), nullable=False),
    sa.Column('excursion', sa.String(length=130), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_water_anomalies'))
    )
    with op.batch_alter_table('water_anomalies', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_water_anomalies_device'), ['device'], unique=False)
        batch_op.create_index('ix_water_anomalies_found', ['found'], unique=False)

    with op.batch_alter_table('water_incident_rules', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('false_per_week', sa.Float(), server_default='0.4', nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table('water_incident_rules', schema=None) as batch_op:
        batch_op.drop_column('false_per_week')
    op.drop_table('water_anomalies')
    op.drop_table('water_detectors')
