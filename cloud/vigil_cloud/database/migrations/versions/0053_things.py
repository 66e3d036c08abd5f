"""things with an owner, and what citizens' phones hear

Revision: 0053, after 0052
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0053'
down_revision = '0052'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('things',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('person_key', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('name', vigil_cloud.database.base.Sealed('thing.name'), nullable=False),
    sa.Column('tag', sa.String(length=140), nullable=False),
    sa.Column('added', UtcDateTime, nullable=False),
    sa.Column('seen', UtcDateTime, nullable=True),
    sa.Column('seen_device', sa.String(length=64), nullable=True),
    sa.Column('guard_latitude', sa.Float(), nullable=True),
    sa.Column('guard_longitude', sa.Float(), nullable=True),
    sa.Column('guard_radius_m', sa.Float(), nullable=True),
    sa.Column('reference', sa.String(length=128), nullable=True),
    sa.Column('stolen', UtcDateTime, nullable=True),
    sa.Column('case_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(
        ['person_key'], ['persons.key'], name=op.f('fk_things_person_key_persons'),
        ondelete='CASCADE'
    ),
    sa.ForeignKeyConstraint(
        ['case_id'], ['cases.id'], name=op.f('fk_things_case_id_cases'), ondelete='SET NULL'
    ),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_things')),
    sa.UniqueConstraint('tag', name=op.f('uq_things_tag')),
    )
    with op.batch_alter_table('things') as batch_op:
        batch_op.create_index(batch_op.f('ix_things_person_key'), ['person_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_things_case_id'), ['case_id'], unique=False)
    op.create_table('phone_reports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('heard_id', sa.String(length=40), nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('latitude', sa.Float(), nullable=False),
    sa.Column('longitude', sa.Float(), nullable=False),
    sa.Column('within_m', sa.Float(), nullable=False),
    sa.Column('received', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_phone_reports')),
    )
    op.create_table('phone_sightings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_key', sa.String(length=64), nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('latitude', sa.Float(), nullable=False),
    sa.Column('longitude', sa.Float(), nullable=False),
    sa.Column('within_m', sa.Float(), nullable=False),
    sa.Column('doubt', sa.String(length=16), nullable=True),
    sa.ForeignKeyConstraint(
        ['person_key'], ['persons.key'], name=op.f('fk_phone_sightings_person_key_persons'),
        ondelete='CASCADE'
    ),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_phone_sightings')),
    )
    op.create_index('ix_phone_sightings_last', 'phone_sightings', ['person_key', 'at'])


def downgrade() -> None:
    op.drop_table('phone_sightings')
    op.drop_table('phone_reports')
    op.drop_table('things')
