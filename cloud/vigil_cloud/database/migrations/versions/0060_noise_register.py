"""noise: entries of the register are withdrawn, versions kept; a veto can be overruled

Revision: 0060, after 0070
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0060'
down_revision = '0070'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
KEYS = {
    'noise_roads': ('intersection', 'direction', 'valid_from'),
    'noise_certificates': ('instrument', 'kind', 'number'),
    'noise_placements': ('device', 'since'),
    'noise_rules': ('valid_from',),
}
WITHDRAWN = (*KEYS, 'noise_complaints')
RETIRED = ('noise_intersections', 'noise_instruments')


def upgrade() -> None:
    for names, column in ((WITHDRAWN, 'withdrawn'), (RETIRED, 'retired')):
        for name in names:
            with op.batch_alter_table(name) as batch_op:
                batch_op.add_column(sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table('noise_register_versions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('said', sa.JSON(), nullable=False),
    sa.Column('recorded', UtcDateTime, nullable=False),
    sa.Column('recorded_by', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_noise_register_versions'))
    )
    op.create_index('ix_noise_register_versions_key', 'noise_register_versions', ['kind', 'key'])
    with op.batch_alter_table('noise_exceedances') as batch_op:
        batch_op.add_column(sa.Column('told', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('overruled_by', sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('noise_exceedances') as batch_op:
        batch_op.drop_column('overruled_by')
        batch_op.drop_column('told')
    op.drop_index('ix_noise_register_versions_key', table_name='noise_register_versions')
    op.drop_table('noise_register_versions')
    # What was withdrawn would count again: only the entries that counted stay.
    for name, key in KEYS.items():
        same = ' AND '.join(f'later.{column} = {name}.{column}' for column in key)
        op.execute(
            f'DELETE FROM {name} WHERE EXISTS (SELECT 1 FROM {name} AS later'
            f' WHERE later.withdrawn AND later.id >= {name}.id AND {same})'
        )
    op.execute('DELETE FROM noise_complaints WHERE withdrawn')
    for names, column in ((WITHDRAWN, 'withdrawn'), (RETIRED, 'retired')):
        for name in names:
            with op.batch_alter_table(name) as batch_op:
                batch_op.drop_column(column)
