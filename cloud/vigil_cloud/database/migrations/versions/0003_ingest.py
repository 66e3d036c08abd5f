"""ingest

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
