"""noise: the register, checks of cases, what decisions carry

Revision: 0026, after 0022
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0026'
down_revision = '0022'
branch_labels = None
depends_on = None

_TIME = vigil_cloud.database.base.UtcDateTime(timezone=True)


def _recorded() -> list[sa.Column[object]]:
    return [
        sa.Column('recorded', _TIME, nullable=False),
        sa.Column('recorded_by', sa.String(length=64), nullable=False),
    ]


def upgrade() -> None:
    with op.batch_alter_table('case_votes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('entries', sa.LargeBinary(), nullable=True))
    with op.batch_alter_table('noise_exceedances', schema=None) as batch_op:
        batch_op.add_column(sa.Column('clock_quality', sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column('wind_m_s', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('rain', sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column('bearing_deg', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('plates', sa.LargeBinary(), nullable=True))
        batch_op.create_index('ix_noise_exceedances_alert', ['alert_id'], unique=False)

    op.create_table('noise_intersections',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('name_zh', sa.String(length=120), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=False),
    sa.Column('longitude', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_noise_intersections'))
    )
    op.create_table('noise_instruments',
    sa.Column('serial', sa.String(length=64), nullable=False),
    sa.Column('maker', sa.String(length=120), nullable=False),
    sa.Column('model', sa.String(length=120), nullable=False),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_noise_instruments'))
    )
    op.create_table('noise_rules',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('background_margin_db', sa.Float(), nullable=False),
    sa.Column('wind_limit_m_s', sa.Float(), nullable=False),
    sa.Column('sign_distance_m', sa.Float(), nullable=False),
    sa.Column('penalties', sa.JSON(), nullable=False),
    sa.Column('basis', sa.String(length=300), nullable=False),
    *_recorded(),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_noise_rules'))
    )
    op.create_index(op.f('ix_noise_rules_valid_from'), 'noise_rules', ['valid_from'])
    op.create_table('noise_roads',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('intersection', sa.String(length=40), nullable=False),
    sa.Column('direction', sa.String(length=40), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=True),
    sa.Column('speed_limit_kmh', sa.Integer(), nullable=True),
    sa.Column('sign_distance_m', sa.Float(), nullable=True),
    sa.Column('limits', sa.JSON(), nullable=False),
    sa.Column('basis', sa.String(length=300), nullable=False),
    *_recorded(),
    sa.ForeignKeyConstraint(['intersection'], ['noise_intersections.id'], name=op.f('fk_noise_roads_intersection_noise_intersections')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_noise_roads'))
    )
    op.create_index('ix_noise_roads_intersection', 'noise_roads', ['intersection', 'valid_from'])
    op.create_table('noise_certificates',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('instrument', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('number', sa.String(length=80), nullable=False),
    sa.Column('issuer', sa.String(length=200), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=False),
    *_recorded(),
    sa.ForeignKeyConstraint(['instrument'], ['noise_instruments.serial'], name=op.f('fk_noise_certificates_instrument_noise_instruments')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_noise_certificates'))
    )
    op.create_index('ix_noise_certificates_instrument', 'noise_certificates', ['instrument', 'kind'])
    op.create_table('noise_placements',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('since', _TIME, nullable=False),
    sa.Column('intersection', sa.String(length=40), nullable=True),
    sa.Column('direction', sa.String(length=40), nullable=False),
    sa.Column('instrument', sa.String(length=64), nullable=True),
    *_recorded(),
    sa.ForeignKeyConstraint(['intersection'], ['noise_intersections.id'], name=op.f('fk_noise_placements_intersection_noise_intersections')),
    sa.ForeignKeyConstraint(['instrument'], ['noise_instruments.serial'], name=op.f('fk_noise_placements_instrument_noise_instruments')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_noise_placements'))
    )
    op.create_index('ix_noise_placements_device', 'noise_placements', ['device', 'since'])
    op.create_table('noise_complaints',
    sa.Column('reference', sa.String(length=64), nullable=False),
    sa.Column('intersection', sa.String(length=40), nullable=False),
    sa.Column('received', sa.Date(), nullable=False),
    *_recorded(),
    sa.ForeignKeyConstraint(['intersection'], ['noise_intersections.id'], name=op.f('fk_noise_complaints_intersection_noise_intersections')),
    sa.PrimaryKeyConstraint('reference', name=op.f('pk_noise_complaints'))
    )
    op.create_index('ix_noise_complaints_intersection', 'noise_complaints', ['intersection', 'received'])
    op.create_table('noise_findings',
    sa.Column('case_id', sa.String(length=36), nullable=False),
    sa.Column('round', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', _TIME, nullable=False),
    sa.Column('checks', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_noise_findings_case_id_cases'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('case_id', 'round', name=op.f('pk_noise_findings'))
    )


def downgrade() -> None:
    for table in ('noise_findings', 'noise_complaints', 'noise_placements', 'noise_certificates',
                  'noise_roads', 'noise_rules', 'noise_instruments', 'noise_intersections'):
        op.drop_table(table)
    with op.batch_alter_table('noise_exceedances', schema=None) as batch_op:
        batch_op.drop_index('ix_noise_exceedances_alert')
        for column in ('plates', 'bearing_deg', 'rain', 'wind_m_s', 'clock_quality'):
            batch_op.drop_column(column)
    with op.batch_alter_table('case_votes', schema=None) as batch_op:
        batch_op.drop_column('entries')
