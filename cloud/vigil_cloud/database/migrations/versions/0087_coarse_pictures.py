"""evidence: a coarse picture of each package. Of those that are there a job makes it, which has the
objects.

Revision: 0087, after 0086
"""

import sqlalchemy as sa
from alembic import op

revision = '0087'
down_revision = '0086'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('evidence', sa.Column('coarse', sa.LargeBinary(), nullable=True))
    op.create_index(
        'ix_evidence_not_coarse',
        'evidence',
        ['stored'],
        unique=False,
        sqlite_where=sa.text('coarse IS NULL'),
        postgresql_where=sa.text('coarse IS NULL'),
    )


def downgrade() -> None:
    op.drop_index('ix_evidence_not_coarse', table_name='evidence')
    op.drop_column('evidence', 'coarse')
