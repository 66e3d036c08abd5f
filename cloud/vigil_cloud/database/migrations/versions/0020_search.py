"""search: missing people, hits, what people bring, who may know, the watch list

Revision: 0020, after 0019
"""

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'disclosures',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('person_key', sa.String(length=64), nullable=False),
        sa.Column('account_id', sa.Integer(), nullable=False),
        sa.Column('case_id', sa.String(length=36), nullable=False),
        sa.Column('given', sa.DateTime(timezone=True), nullable=False),
        sa.Column('until', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_disclosures_account_id_accounts'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_disclosures')),
        sa.UniqueConstraint('case_id', 'account_id', name=op.f('uq_disclosures_case_id')),
    )
    with op.batch_alter_table('disclosures') as batch:
        batch.create_index(batch.f('ix_disclosures_account_id'), ['account_id'])
        batch.create_index(batch.f('ix_disclosures_person_key'), ['person_key'])
    op.create_table(
        'watches',
        sa.Column('case_id', sa.String(length=36), nullable=False),
        sa.Column('person_key', sa.String(length=64), nullable=False),
        sa.Column('until', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('case_id', name=op.f('pk_watches')),
    )
    with op.batch_alter_table('watches') as batch:
        batch.create_index(batch.f('ix_watches_person_key'), ['person_key'])
    op.create_table(
        'watch_list_head',
        sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('revision', sa.BigInteger(), nullable=False),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_watch_list_head')),
    )
    op.create_table(
        'watch_stations',
        sa.Column('device', sa.String(length=64), nullable=False),
        sa.Column('gateway', sa.String(length=63), nullable=False),
        sa.Column('epoch', sa.String(length=16), nullable=True),
        sa.Column('revision', sa.BigInteger(), nullable=False),
        sa.Column('downlink', sa.String(length=64), nullable=False),
        sa.Column('asked', sa.DateTime(timezone=True), nullable=False),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('device', name=op.f('pk_watch_stations')),
    )
    op.create_table(
        'searches',
        sa.Column('case_id', sa.String(length=36), nullable=False),
        sa.Column('person_key', sa.String(length=64), nullable=False),
        sa.Column('opened', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended', sa.DateTime(timezone=True), nullable=True),
        sa.Column('watch_until', sa.DateTime(timezone=True), nullable=False),
        sa.Column('clothes', sa.LargeBinary(), nullable=True),
        sa.Column('place', sa.LargeBinary(), nullable=True),
        sa.Column('last_seen', sa.DateTime(timezone=True), nullable=True),
        sa.Column('latitude', sa.Float(), nullable=True),
        sa.Column('longitude', sa.Float(), nullable=True),
        sa.Column('call_id', sa.String(length=36), nullable=False),
        sa.Column('alert_id', sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_searches_case_id_cases'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('case_id', name=op.f('pk_searches')),
    )
    with op.batch_alter_table('searches') as batch:
        batch.create_index('ix_searches_open', ['person_key', 'ended'])
    op.create_table(
        'search_hits',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('case_id', sa.String(length=36), nullable=False),
        sa.Column('gateway', sa.String(length=63), nullable=False),
        sa.Column('device', sa.String(length=64), nullable=False),
        sa.Column('first', sa.DateTime(timezone=True), nullable=False),
        sa.Column('last', sa.DateTime(timezone=True), nullable=False),
        sa.Column('received', sa.DateTime(timezone=True), nullable=False),
        sa.Column('at_once', sa.Boolean(), nullable=False),
        sa.Column('doubts', sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['case_id'], ['searches.case_id'], name=op.f('fk_search_hits_case_id_searches'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_search_hits')),
        sa.UniqueConstraint('case_id', 'device', 'first', name=op.f('uq_search_hits_case_id')),
    )
    op.create_table(
        'search_entries',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('case_id', sa.String(length=36), nullable=False),
        sa.Column('kind', sa.String(length=16), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('entered', sa.DateTime(timezone=True), nullable=False),
        sa.Column('account', sa.String(length=64), nullable=False),
        sa.Column('text', sa.LargeBinary(), nullable=True),
        sa.Column('latitude', sa.Float(), nullable=True),
        sa.Column('longitude', sa.Float(), nullable=True),
        sa.Column('radius_m', sa.Float(), nullable=True),
        sa.Column('area', sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(['case_id'], ['searches.case_id'], name=op.f('fk_search_entries_case_id_searches'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_search_entries')),
    )
    with op.batch_alter_table('search_entries') as batch:
        batch.create_index(batch.f('ix_search_entries_case_id'), ['case_id'])


def downgrade() -> None:
    for name in ('search_entries', 'search_hits', 'searches', 'watch_stations', 'watch_list_head', 'watches', 'disclosures'):
        op.drop_table(name)
