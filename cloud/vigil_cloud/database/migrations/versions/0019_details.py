"""alert details and history: personal content in columns of its own, sealed

Revision: 0019, after 0018. What earlier versions wrote in the open is sealed by a job
(``alerts.sealing_old``), which has the key.
"""

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plainly: SQLite's batch mode would copy the computed column wrongly.
    op.add_column('alerts', sa.Column('private', sa.LargeBinary(), nullable=True))
    op.add_column(
        'alerts', sa.Column('typed', sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index(
        'ix_alerts_untyped',
        'alerts',
        ['id'],
        unique=False,
        sqlite_where=sa.text('NOT typed'),
        postgresql_where=sa.text('NOT typed'),
    )
    with op.batch_alter_table('districts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('outline', sa.JSON(), nullable=True))
    with op.batch_alter_table('alert_history', schema=None) as batch_op:
        batch_op.add_column(sa.Column('text', sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('districts', schema=None) as batch_op:
        batch_op.drop_column('outline')
    with op.batch_alter_table('alert_history', schema=None) as batch_op:
        batch_op.drop_column('text')
    op.drop_index('ix_alerts_untyped', table_name='alerts')
    op.drop_column('alerts', 'typed')
    op.drop_column('alerts', 'private')
