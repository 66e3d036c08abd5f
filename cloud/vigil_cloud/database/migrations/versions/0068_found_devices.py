"""found devices: what a gateway's search found is kept with the command that asked for it

Revision: 0068, after 0065
"""

import sqlalchemy as sa
from alembic import op

revision = '0068'
down_revision = '0065'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('downlinks') as batch:
        batch.add_column(sa.Column('report', sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('downlinks') as batch:
        batch.drop_column('report')
