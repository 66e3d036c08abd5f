"""setup: the first account is made in a browser, with a code

Revision: 0059, after 0058
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0059'
down_revision = '0058'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('setup_code',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('made', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_setup_code'))
    )


def downgrade() -> None:
    op.drop_table('setup_code')
