"""fires: alarms that owe their fire, alerts that call on, clocks that are slow, push subscriptions

Revision: 0032, after 0029
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0032'
down_revision = '0029'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    no = sa.false()
    op.add_column('alerts', sa.Column('called_on', sa.Boolean(), nullable=False, server_default=no))
    op.create_index(
        op.f('ix_alerts_called_on'), 'alerts', ['called_on', 'acknowledged', 'severity']
    )
    op.add_column('gateways', sa.Column('least_delay_s', sa.Float(), nullable=True))
    op.add_column('aed_calls', sa.Column('filed', sa.Boolean(), nullable=False, server_default=no))
    op.add_column(
        'smoke_conditions', sa.Column('fire_owed', sa.Boolean(), nullable=False, server_default=no)
    )
    op.create_index(op.f('ix_smoke_conditions_fire_owed'), 'smoke_conditions', ['fire_owed'])
    # Fires that burn while the platform is brought up to date.
    op.execute(
        "UPDATE alerts SET called_on = true WHERE id IN ("
        "SELECT fire_alarms.alert_id FROM fire_alarms JOIN fires ON fires.id = fire_alarms.fire"
        " WHERE fires.phase IN ('asking', 'called', 'past'))"
    )
    op.execute("UPDATE aed_calls SET filed = true WHERE case_id IS NOT NULL OR state = 'over'")


def downgrade() -> None:
    op.drop_index(op.f('ix_alerts_called_on'), table_name='alerts')
    op.drop_index(op.f('ix_smoke_conditions_fire_owed'), table_name='smoke_conditions')
    for table, column in (
        ('smoke_conditions', 'fire_owed'),
        ('aed_calls', 'filed'),
        ('gateways', 'least_delay_s'),
        ('alerts', 'called_on'),
    ):
        op.drop_column(table, column)
