"""water: late readings are judged, and what is judged anew calls nobody twice

Revision: 0050, after 0053
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0050'
down_revision = '0053'
branch_labels = None
depends_on = None

_NUMBERS = (
    'anew_us',
    'late_from_us',
    'late_until_us',
    'rejudged_from_us',
    'rejudged_until_us',
    'unjudged_us',
)


def upgrade() -> None:
    with op.batch_alter_table('water_detectors', schema=None) as batch_op:
        for name in _NUMBERS:
            batch_op.add_column(
                sa.Column(name, sa.BigInteger(), server_default='0', nullable=False)
            )
        batch_op.add_column(
            sa.Column(
                'rejudged_at', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True
            )
        )


def downgrade() -> None:
    with op.batch_alter_table('water_detectors', schema=None) as batch_op:
        batch_op.drop_column('rejudged_at')
        for name in reversed(_NUMBERS):
            batch_op.drop_column(name)
