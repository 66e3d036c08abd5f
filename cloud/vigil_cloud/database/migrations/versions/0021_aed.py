"""aed: the register, volunteers and calls; calls to the emergency line

Revision: 0021, after 0020
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('aed_calls',
    sa.Column('id', sa.String(length=130), nullable=False),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.Column('case_id', sa.String(length=36), nullable=True),
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('site', sa.String(length=40), nullable=True),
    sa.Column('place', sa.String(length=300), nullable=False),
    sa.Column('place_zh', sa.String(length=300), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('pressed', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('received', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('presses', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('phases', sa.JSON(), nullable=False),
    sa.Column('called_phases', sa.Integer(), nullable=False),
    sa.Column('over', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aed_calls'))
    )
    with op.batch_alter_table('aed_calls', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_aed_calls_alert_id'), ['alert_id'], unique=False)
        batch_op.create_index('ix_aed_calls_state', ['state'], unique=False)

    op.create_table('aed_sites',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('name_zh', sa.String(length=120), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=False),
    sa.Column('longitude', sa.Float(), nullable=False),
    sa.Column('location', sa.String(length=300), nullable=False),
    sa.Column('level', sa.String(length=16), nullable=False),
    sa.Column('indoor', sa.Boolean(), nullable=False),
    sa.Column('access', sa.String(length=16), nullable=False),
    sa.Column('opening_hours', sa.String(length=255), nullable=False),
    sa.Column('phone', sa.String(length=40), nullable=False),
    sa.Column('operator', sa.String(length=120), nullable=False),
    sa.Column('model', sa.String(length=120), nullable=False),
    sa.Column('in_service', sa.Boolean(), nullable=False),
    sa.Column('checked', sa.Date(), nullable=True),
    sa.Column('pads_until', sa.Date(), nullable=True),
    sa.Column('battery_until', sa.Date(), nullable=True),
    sa.Column('device', sa.String(length=64), nullable=True),
    sa.Column('taken', sa.Boolean(), nullable=False),
    sa.Column('updated', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aed_sites')),
    sa.UniqueConstraint('device', name=op.f('uq_aed_sites_device'))
    )
    op.create_table('aed_callouts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_id', sa.String(length=130), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('role', sa.String(length=8), nullable=False),
    sa.Column('site', sa.String(length=40), nullable=True),
    sa.Column('predicted_s', sa.Float(), nullable=False),
    sa.Column('on_reject', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('called', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('answered', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
    sa.Column('arrived', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
    sa.Column('told', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_aed_callouts_account_id_accounts'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['call_id'], ['aed_calls.id'], name=op.f('fk_aed_callouts_call_id_aed_calls'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aed_callouts')),
    sa.UniqueConstraint('call_id', 'account_id', name='uq_aed_callouts_once')
    )
    with op.batch_alter_table('aed_callouts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_aed_callouts_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_aed_callouts_call_id'), ['call_id'], unique=False)

    op.create_table('aed_patrols',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('site', sa.String(length=40), nullable=False),
    sa.Column('at', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('account', sa.String(length=64), nullable=False),
    sa.Column('findings', sa.JSON(), nullable=False),
    sa.Column('usable', sa.Boolean(), nullable=False),
    sa.Column('pads_until', sa.Date(), nullable=True),
    sa.Column('battery_until', sa.Date(), nullable=True),
    sa.Column('note', sa.String(length=1000), nullable=False),
    sa.ForeignKeyConstraint(['site'], ['aed_sites.id'], name=op.f('fk_aed_patrols_site_aed_sites'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aed_patrols'))
    )
    with op.batch_alter_table('aed_patrols', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_aed_patrols_site'), ['site'], unique=False)

    op.create_table('aed_volunteers',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('consented', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
    sa.Column('certificate_until', sa.Date(), nullable=True),
    sa.Column('on_call', sa.Boolean(), nullable=False),
    sa.Column('speed_mps', sa.Float(), nullable=False),
    sa.Column('position', sa.LargeBinary(), nullable=True),
    sa.Column('located', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
    sa.Column('asked_day', sa.Integer(), nullable=False),
    sa.Column('accepted_day', sa.Integer(), nullable=False),
    sa.Column('asked_night', sa.Integer(), nullable=False),
    sa.Column('accepted_night', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_aed_volunteers_account_id_accounts'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_aed_volunteers'))
    )
    op.create_table('emergency_calls',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.Column('asked', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
    sa.Column('message', sa.LargeBinary(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('again', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
    sa.Column('answered', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=300), nullable=False),
    sa.ForeignKeyConstraint(['alert_id'], ['alerts.id'], name=op.f('fk_emergency_calls_alert_id_alerts'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_emergency_calls'))
    )
    with op.batch_alter_table('emergency_calls', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_emergency_calls_alert_id'), ['alert_id'], unique=False)
        batch_op.create_index('ix_emergency_calls_due', ['again'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('emergency_calls', schema=None) as batch_op:
        batch_op.drop_index('ix_emergency_calls_due')
        batch_op.drop_index(batch_op.f('ix_emergency_calls_alert_id'))

    op.drop_table('emergency_calls')
    op.drop_table('aed_volunteers')
    with op.batch_alter_table('aed_patrols', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_aed_patrols_site'))

    op.drop_table('aed_patrols')
    with op.batch_alter_table('aed_callouts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_aed_callouts_call_id'))
        batch_op.drop_index(batch_op.f('ix_aed_callouts_account_id'))

    op.drop_table('aed_callouts')
    op.drop_table('aed_sites')
    with op.batch_alter_table('aed_calls', schema=None) as batch_op:
        batch_op.drop_index('ix_aed_calls_state')
        batch_op.drop_index(batch_op.f('ix_aed_calls_alert_id'))

    op.drop_table('aed_calls')
