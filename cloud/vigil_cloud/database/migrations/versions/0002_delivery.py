"""delivery

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
