"""hardening

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
