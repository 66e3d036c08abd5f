"""aed, programme: patrols and photographs under the key of whoever sent them

Revision: 0082, after 0081
"""

import sqlalchemy as sa
from alembic import op

revision = '0082'
down_revision = '0081'
branch_labels = None
depends_on = None

TABLES = ('aed_patrols', 'aed_patrol_photos', 'programme_photos')


def upgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column('key', sa.String(length=64), nullable=True))
            table.create_unique_constraint(table.f(f'uq_{name}_account'), ['account', 'key'])


def downgrade() -> None:
    for name in reversed(TABLES):
        with op.batch_alter_table(name) as table:
            table.drop_constraint(table.f(f'uq_{name}_account'), type_='unique')
            table.drop_column('key')
