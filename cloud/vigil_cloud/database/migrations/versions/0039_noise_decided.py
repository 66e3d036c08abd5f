"""noise: what gateways decide themselves; what founds no case has no alert

Revision: 0039, after 0043
"""

import sqlalchemy as sa
from alembic import op

revision = '0039'
down_revision = '0043'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('noise_exceedances') as batch_op:
        batch_op.add_column(sa.Column('decision', sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column('vetoed', sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column('findings', sa.JSON(), nullable=True))
        batch_op.alter_column('alert_id', existing_type=sa.String(length=36), nullable=True)


def downgrade() -> None:
    op.execute('DELETE FROM noise_exceedances WHERE alert_id IS NULL')
    with op.batch_alter_table('noise_exceedances') as batch_op:
        batch_op.alter_column('alert_id', existing_type=sa.String(length=36), nullable=False)
        for column in ('findings', 'vetoed', 'decision'):
            batch_op.drop_column(column)
