"""aed: messages to volunteers are tried again after a pause, and AEDs carry tags

Revision: 0025, after 0026
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0025'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('aed_callouts', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('tries', sa.Integer(), server_default='0', nullable=False)
        )
        batch_op.add_column(
            sa.Column('again', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True)
        )
    # What failed so far was tried again each second: once more, then with pauses.
    op.execute("UPDATE aed_callouts SET told = '' WHERE told LIKE 'failed%' AND state = 'called'")
    with op.batch_alter_table('aed_sites', schema=None) as batch_op:
        batch_op.add_column(sa.Column('tag', sa.String(length=140), nullable=True))
        batch_op.add_column(
            sa.Column(
                'tag_seen', vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True
            )
        )
        batch_op.add_column(sa.Column('tag_station', sa.String(length=64), nullable=True))
        batch_op.create_unique_constraint(batch_op.f('uq_aed_sites_tag'), ['tag'])


def downgrade() -> None:
    with op.batch_alter_table('aed_sites', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_aed_sites_tag'), type_='unique')
        batch_op.drop_column('tag_station')
        batch_op.drop_column('tag_seen')
        batch_op.drop_column('tag')
    with op.batch_alter_table('aed_callouts', schema=None) as batch_op:
        batch_op.drop_column('again')
        batch_op.drop_column('tries')
