"""search: where the person probably is, streets, how far what people bring can be relied on

Revision: 0044, after 0039
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0044'
down_revision = '0039'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table('search_entries') as batch:
        batch.add_column(sa.Column('worth', sa.Float(), nullable=True))
    op.create_table(
        'search_likely',
        sa.Column('case_id', sa.String(length=36), nullable=False),
        sa.Column('at', UtcDateTime, nullable=False),
        sa.Column('drawn', sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ['case_id'],
            ['searches.case_id'],
            name=op.f('fk_search_likely_case_id_searches'),
            ondelete='CASCADE',
        ),
        sa.PrimaryKeyConstraint('case_id', name=op.f('pk_search_likely')),
    )
    op.create_table(
        'city_streets',
        sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('imported', UtcDateTime, nullable=False),
        sa.Column('lines', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_city_streets')),
    )


def downgrade() -> None:
    op.drop_table('city_streets')
    op.drop_table('search_likely')
    with op.batch_alter_table('search_entries') as batch:
        batch.drop_column('worth')
