"""escalations: policies, how far each alert's has got, who answered what

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'escalation_policies',
        sa.Column('name', sa.String(length=80), nullable=False),
        sa.Column('document', sa.JSON(), nullable=False),
        sa.Column('household', sa.String(length=48), nullable=False),
        sa.Column('district', sa.String(length=40), nullable=False),
        sa.Column('kind', sa.String(length=40), nullable=False),
        sa.Column('domain', sa.String(length=16), nullable=False),
        sa.Column('severity', sa.String(length=16), nullable=False),
        sa.Column('changed', sa.DateTime(timezone=True), nullable=False),
        sa.Column('changed_by', sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_escalation_policies')),
        sa.UniqueConstraint(
            'household', 'district', 'kind', 'domain', 'severity',
            name=op.f('uq_escalation_policies_household'),
        ),
    )
    op.create_table(
        'escalations',
        sa.Column('alert_id', sa.String(length=36), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('policy', sa.String(length=80), nullable=False),
        sa.Column('document', sa.JSON(), nullable=False),
        sa.Column('state', sa.JSON(), nullable=False),
        sa.Column('due', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ['alert_id'], ['alerts.id'], name=op.f('fk_escalations_alert_id_alerts'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('alert_id', name=op.f('pk_escalations')),
    )
    with op.batch_alter_table('escalations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_escalations_due'), ['due'], unique=False)
    op.create_table(
        'escalation_answers',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('alert_id', sa.String(length=36), nullable=False),
        sa.Column('who', sa.String(length=96), nullable=False),
        sa.Column('answer', sa.String(length=16), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('via', sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ['alert_id'], ['alerts.id'], name=op.f('fk_escalation_answers_alert_id_alerts'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_escalation_answers')),
    )
    with op.batch_alter_table('escalation_answers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_escalation_answers_alert_id'), ['alert_id'], unique=False)
    with op.batch_alter_table('channels', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=16), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('channels', schema=None) as batch_op:
        batch_op.drop_column('kind')
    op.drop_table('escalation_answers')
    op.drop_table('escalations')
    op.drop_table('escalation_policies')
