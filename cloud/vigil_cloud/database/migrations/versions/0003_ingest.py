"""dead letters can be settled, clocks of gateways, exceedances of a doubtful time

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

_TIME = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table('dead_letters', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('alarm', sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column('settlement', sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column('settled', _TIME, nullable=True))
        batch_op.add_column(sa.Column('settled_by', sa.String(length=64), nullable=True))
        batch_op.create_index('ix_dead_letters_alarm_gateway', ['alarm', 'gateway'], unique=False)
    letters = sa.table('dead_letters', sa.column('topic'), sa.column('alarm'))
    op.execute(letters.update().where(letters.c.topic.like('%/alarm')).values(alarm=True))
    with op.batch_alter_table('gateways', schema=None) as batch_op:
        batch_op.add_column(sa.Column('clock_offset_s', sa.Float(), nullable=True))
    with op.batch_alter_table('noise_exceedances', schema=None) as batch_op:
        batch_op.add_column(sa.Column('time_quality', sa.String(length=8), nullable=True))
    with op.batch_alter_table('smoke_conditions', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('in_test', sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column('heard', _TIME, nullable=True))
        batch_op.add_column(sa.Column('over_heard', _TIME, nullable=True))
        batch_op.create_index('ix_smoke_conditions_in_test', ['in_test'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('smoke_conditions', schema=None) as batch_op:
        batch_op.drop_index('ix_smoke_conditions_in_test')
        batch_op.drop_column('over_heard')
        batch_op.drop_column('heard')
        batch_op.drop_column('in_test')
    with op.batch_alter_table('noise_exceedances', schema=None) as batch_op:
        batch_op.drop_column('time_quality')
    with op.batch_alter_table('gateways', schema=None) as batch_op:
        batch_op.drop_column('clock_offset_s')
    with op.batch_alter_table('dead_letters', schema=None) as batch_op:
        batch_op.drop_index('ix_dead_letters_alarm_gateway')
        batch_op.drop_column('settled_by')
        batch_op.drop_column('settled')
        batch_op.drop_column('settlement')
        batch_op.drop_column('alarm')
