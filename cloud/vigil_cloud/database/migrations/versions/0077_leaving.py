"""aed: a call keeps whom it called beyond their accounts; tries of thanks and of endings.
programme: homes whose further round waits are due for their yearly visit

Revision: 0077, after 0076
"""

from datetime import date

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0077'
down_revision = '0076'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
OF_ACCOUNT = 'fk_aed_callouts_account_id_accounts'


def upgrade() -> None:
    with op.batch_alter_table('aed_callouts') as table:
        table.drop_constraint(table.f(OF_ACCOUNT), type_='foreignkey')
        table.alter_column('account_id', existing_type=sa.Integer(), nullable=True)
        table.create_foreign_key(table.f(OF_ACCOUNT), 'accounts', ['account_id'], ['id'], ondelete='SET NULL')
        table.add_column(sa.Column('thanks_tries', sa.Integer(), nullable=False, server_default='0'))
        table.add_column(sa.Column('thanks_again', UtcDateTime, nullable=True))
    with op.batch_alter_table('aed_volunteers') as table:
        table.add_column(sa.Column('ending_tries', sa.Integer(), nullable=False, server_default='0'))
        table.add_column(sa.Column('ending_again', UtcDateTime, nullable=True))
    _visits_are_due()


def _visits_are_due() -> None:
    connection = op.get_bind()
    homes = sa.table('programme_homes', sa.column('id', sa.String()), sa.column('phase', sa.String()), sa.column('due', sa.Date()), sa.column('state', sa.JSON()))
    waiting = homes.c.phase.in_(('applied', 'accepted', 'scheduled', 'installed'))
    for row in connection.execute(sa.select(homes).where(waiting, homes.c.due.is_(None))).all():
        visit = row.state.get('next_visit')
        if visit is not None and any(one.get('until') is None for one in row.state.get('alarms', ())):
            connection.execute(homes.update().where(homes.c.id == row.id).values(due=date.fromisoformat(visit)))


def downgrade() -> None:
    with op.batch_alter_table('aed_volunteers') as table:
        table.drop_column('ending_again')
        table.drop_column('ending_tries')
    op.execute('DELETE FROM aed_callouts WHERE account_id IS NULL')
    with op.batch_alter_table('aed_callouts') as table:
        table.drop_column('thanks_again')
        table.drop_column('thanks_tries')
        table.drop_constraint(table.f(OF_ACCOUNT), type_='foreignkey')
        table.alter_column('account_id', existing_type=sa.Integer(), nullable=False)
        table.create_foreign_key(table.f(OF_ACCOUNT), 'accounts', ['account_id'], ['id'], ondelete='CASCADE')
