"""leftovers: alerts for some roles only

Revision: 0022, after 0021
"""

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('alerts', sa.Column('only_roles', sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column('alerts', 'only_roles')
