"""known: alarms as their fires take them; invitations that are somebody's

Revision: 0035, after 0036
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = '0035'
down_revision = '0036'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('smoke_conditions') as batch_op:
        batch_op.add_column(
            sa.Column('owed_times', sa.Integer(), server_default='0', nullable=False)
        )
        batch_op.add_column(sa.Column('rings', sa.JSON(), nullable=True))
    _name_what_119_was_told()

    with op.batch_alter_table('invitations') as batch_op:
        batch_op.add_column(
            sa.Column('claimed', sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    op.execute('UPDATE invitations SET claimed = (account_id IS NOT NULL OR used IS NOT NULL)')


def _name_what_119_was_told() -> None:
    """Of alarms whose fire was owed: fires that stand know those calls by their keys from now on,
    and an alarm whose fire is owed anew has a further one."""
    bind = op.get_bind()
    calls = sa.table('emergency_calls', sa.column('id', sa.String))
    asked = sa.select(calls.c.id).where(calls.c.id.startswith('smoke-alarm:', autoescape=True))
    keys = set(bind.scalars(asked))
    alarms = sa.table(
        'smoke_conditions',
        sa.column('id', sa.String), sa.column('fire_owed', sa.Boolean), sa.column('owed_times'),
    )
    once = sa.update(alarms).values(owed_times=1)
    bind.execute(once.where(alarms.c.fire_owed))
    if not keys:
        return
    of = sa.table('fire_alarms', sa.column('reference', sa.String), sa.column('fire', sa.String))
    fires = sa.table('fires', sa.column('id', sa.String), sa.column('done', sa.JSON))
    for reference in bind.scalars(sa.select(alarms.c.id)).all():
        key = f'smoke-alarm:{hashlib.sha256(reference.encode()).hexdigest()[:32]}'
        if key not in keys:
            continue
        bind.execute(once.where(alarms.c.id == reference))
        belongs = sa.select(fires).join(of, of.c.fire == fires.c.id)
        for fire in bind.execute(belongs.where(of.c.reference == reference)).all():
            done = {**fire.done, 'owed': [*fire.done.get('owed', []), key]}
            bind.execute(sa.update(fires).where(fires.c.id == fire.id).values(done=done))


def downgrade() -> None:
    with op.batch_alter_table('invitations') as batch_op:
        batch_op.drop_column('claimed')
    with op.batch_alter_table('smoke_conditions') as batch_op:
        batch_op.drop_column('rings')
        batch_op.drop_column('owed_times')
