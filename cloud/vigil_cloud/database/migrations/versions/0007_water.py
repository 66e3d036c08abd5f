"""Excursions off scale: longer kinds, no limit where there is none.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('water_excursions') as batch_op:
        batch_op.alter_column('kind', existing_type=sa.String(8), type_=sa.String(24))
        batch_op.alter_column('limit', existing_type=sa.Float(), nullable=True)


def downgrade() -> None:
    # Rows that the older tables cannot hold: their alerts stay.
    op.execute("DELETE FROM water_excursions WHERE \"limit\" IS NULL OR length(kind) > 8")
    with op.batch_alter_table('water_excursions') as batch_op:
        batch_op.alter_column('limit', existing_type=sa.Float(), nullable=False)
        batch_op.alter_column('kind', existing_type=sa.String(24), type_=sa.String(8))
