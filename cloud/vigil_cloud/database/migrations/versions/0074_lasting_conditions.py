"""smoke: what lasts behind a gateway is found without reading years of it; hydrants

Revision: 0074, after 0068
"""

import sqlalchemy as sa
from alembic import op

revision = '0074'
down_revision = '0068'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_smoke_conditions_lasting',
        'smoke_conditions',
        ['gateway', 'heard'],
        unique=False,
        sqlite_where=sa.text('cleared IS NULL'),
        postgresql_where=sa.text('cleared IS NULL'),
    )
    op.create_table('hydrants',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=False),
    sa.Column('longitude', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hydrants'))
    )
    op.create_index('ix_hydrants_place', 'hydrants', ['latitude', 'longitude'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_hydrants_place', table_name='hydrants')
    op.drop_table('hydrants')
    op.drop_index(
        'ix_smoke_conditions_lasting',
        table_name='smoke_conditions',
        sqlite_where=sa.text('cleared IS NULL'),
        postgresql_where=sa.text('cleared IS NULL'),
    )
