"""fixed place: where a volunteer can be called without a position of now

Revision: 0031, after 0055
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0031'
down_revision = '0055'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
Sealed = vigil_cloud.database.base.Sealed


def upgrade() -> None:
    with op.batch_alter_table('aed_volunteers') as table:
        table.add_column(
            sa.Column('ending_told', sa.String(length=200), server_default='', nullable=False)
        )
        table.add_column(sa.Column('fixed_position', Sealed('aed.volunteer.fixed'), nullable=True))
        table.add_column(
            sa.Column('fixed_hours', sa.String(length=255), server_default='', nullable=False)
        )
        table.add_column(sa.Column('fixed_consented', UtcDateTime, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('aed_volunteers') as table:
        for name in ('fixed_consented', 'fixed_hours', 'fixed_position', 'ending_told'):
            table.drop_column(name)
