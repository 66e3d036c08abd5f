"""rules: what is held back in quiet hours, and what people begin with

Revision: 0052, after 0059
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0052'
down_revision = '0059'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
_QUIET = (22 * 60, 7 * 60)
_PRESET = {'unseen': {'hours': 24}, 'not-worn': {'hours': 24}, 'battery-low': {'below_mv': 2400}}


def upgrade() -> None:
    with op.batch_alter_table('person_rules') as batch_op:
        batch_op.add_column(sa.Column('held', sa.String(length=130), nullable=True))
        batch_op.add_column(
            sa.Column('preset', sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    # Who is out at night is told of at once.
    op.execute("UPDATE person_rules SET quiet_from = NULL, quiet_until = NULL"
               " WHERE kind = 'at-night'")
    _begin()


def _begin() -> None:
    """Whoever carries an amulet, has no rule, and whose guardian never set or ended one."""
    tags = sa.table('tags', sa.column('person_key', sa.String(64)))
    log = sa.table(
        'audit_log', sa.column('person_key', sa.String(64)), sa.column('action', sa.String(40))
    )
    rules = sa.table(
        'person_rules',
        sa.column('person_key', sa.String(64)),
        sa.column('kind', sa.String(20)),
        sa.column('settings', sa.JSON()),
        sa.column('quiet_from', sa.Integer()),
        sa.column('quiet_until', sa.Integer()),
        sa.column('changed', UtcDateTime),
        sa.column('preset', sa.Boolean()),
    )
    chosen = sa.select(log.c.person_key).where(
        log.c.person_key.is_not(None), log.c.action.in_(('rule.set', 'rule.removed'))
    )
    unheard = (
        sa.select(tags.c.person_key)
        .where(tags.c.person_key.not_in(sa.select(rules.c.person_key)))
        .where(tags.c.person_key.not_in(chosen))
        .distinct()
    )
    people = [key for (key,) in op.get_bind().execute(unheard)]
    now = datetime.now(UTC)
    rows = [
        {
            'person_key': key,
            'kind': kind,
            'settings': settings,
            'quiet_from': _QUIET[0],
            'quiet_until': _QUIET[1],
            'changed': now,
            'preset': True,
        }
        for key in people
        for kind, settings in _PRESET.items()
    ]
    if rows:
        op.bulk_insert(rules, rows)


def downgrade() -> None:
    with op.batch_alter_table('person_rules') as batch_op:
        batch_op.drop_column('preset')
        batch_op.drop_column('held')
