"""search: access rests on a role, disclosures on a case; watch lists by gateway; tips

Revision: 0024, after 0023
"""

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('case_access', sa.Column('opener', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(sa.text('UPDATE case_access SET opener = :yes WHERE until IS NULL').bindparams(sa.bindparam('yes', True, sa.Boolean())))
    # Of accounts that are gone: whoever is given such a name would be let in by it.
    op.execute('DELETE FROM case_access WHERE account NOT IN (SELECT username FROM accounts)')
    op.execute(
        "UPDATE cases SET assignee = NULL WHERE state <> 'closed' AND assignee IS NOT NULL"
        ' AND assignee NOT IN (SELECT username FROM accounts)'
    )
    with op.batch_alter_table('disclosures') as batch:
        batch.add_column(sa.Column('role', sa.String(length=16), server_default='police', nullable=False))
        batch.drop_constraint(batch.f('uq_disclosures_case_id'), type_='unique')
        batch.create_unique_constraint(batch.f('uq_disclosures_case_id'), ['case_id', 'account_id', 'role'])
    op.execute(
        "UPDATE disclosures SET role = 'family' WHERE EXISTS (SELECT 1 FROM guardians WHERE"
        ' guardians.person_key = disclosures.person_key AND guardians.account_id = disclosures.account_id)'
    )
    op.add_column('alerts', sa.Column('case_id', sa.String(length=36), nullable=True))
    # Of a search's alerts: ``search::{kind}:{case}``.
    op.execute(
        "UPDATE alerts SET case_id = substr(key, length(key) - 35)"
        " WHERE domain = 'search' AND person_key IS NOT NULL"
    )
    op.create_index('ix_alerts_case_order', 'alerts', ['case_id', 'raised', 'id'])
    op.create_index('ix_alerts_case_priority', 'alerts', ['case_id', 'priority', 'raised', 'id'])
    with op.batch_alter_table('watch_stations') as batch:
        batch.add_column(sa.Column('withdrawn', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.drop_constraint(batch.f('pk_watch_stations'), type_='primary')
        batch.create_primary_key(batch.f('pk_watch_stations'), ['device', 'gateway'])
    with op.batch_alter_table('searches') as batch:
        batch.add_column(sa.Column('link_nonce', sa.String(length=32), nullable=True))
        batch.add_column(sa.Column('link_sha256', sa.String(length=64), nullable=True))
        batch.create_index(batch.f('ix_searches_link_sha256'), ['link_sha256'], unique=True)
    with op.batch_alter_table('search_entries') as batch:
        batch.alter_column('account', existing_type=sa.String(length=64), nullable=True)
        batch.add_column(sa.Column('contact', sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    # What the older tables have no room for: reports of passers-by have no account, a station that
    # changed its gateway has two rows, an account may know by two roles (it keeps the first).
    op.execute("UPDATE search_entries SET account = '' WHERE account IS NULL")
    op.execute(
        'DELETE FROM watch_stations WHERE gateway <> (SELECT max(other.gateway) FROM watch_stations'
        ' AS other WHERE other.device = watch_stations.device)'
    )
    op.execute(
        'DELETE FROM disclosures WHERE id <> (SELECT min(other.id) FROM disclosures AS other WHERE'
        ' other.case_id = disclosures.case_id AND other.account_id = disclosures.account_id)'
    )
    with op.batch_alter_table('search_entries') as batch:
        batch.drop_column('contact')
        batch.alter_column('account', existing_type=sa.String(length=64), nullable=False)
    with op.batch_alter_table('searches') as batch:
        batch.drop_index(batch.f('ix_searches_link_sha256'))
        batch.drop_column('link_sha256')
        batch.drop_column('link_nonce')
    with op.batch_alter_table('watch_stations') as batch:
        batch.drop_constraint(batch.f('pk_watch_stations'), type_='primary')
        batch.create_primary_key(batch.f('pk_watch_stations'), ['device'])
        batch.drop_column('withdrawn')
    op.drop_index('ix_alerts_case_priority', 'alerts')
    op.drop_index('ix_alerts_case_order', 'alerts')
    op.drop_column('alerts', 'case_id')
    with op.batch_alter_table('disclosures') as batch:
        batch.drop_constraint(batch.f('uq_disclosures_case_id'), type_='unique')
        batch.create_unique_constraint(batch.f('uq_disclosures_case_id'), ['case_id', 'account_id'])
        batch.drop_column('role')
    op.drop_column('case_access', 'opener')
