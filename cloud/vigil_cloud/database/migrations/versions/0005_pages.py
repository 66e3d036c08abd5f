"""pages

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
