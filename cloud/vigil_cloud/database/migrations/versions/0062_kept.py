"""printed codes outlive the secret key; those that do not fit any more are known

Revision: 0062, after 0061
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0062'
down_revision = '0061'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)
_VOID = 0
"""Below the number of every key: printed under a secret key that was changed before this."""


def upgrade() -> None:
    op.create_table('kept_keys',
    sa.Column('purpose', sa.String(length=60), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('key', vigil_cloud.database.base.Sealed('kept.key'), nullable=False),
    sa.Column('since', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('purpose', name=op.f('pk_kept_keys'))
    )
    with op.batch_alter_table('amulets') as batch_op:
        batch_op.add_column(
            sa.Column('code_number', sa.Integer(), server_default='1', nullable=False)
        )
    _mark_void()


def _mark_void() -> None:
    """Codes that were made before the secret key was changed last fit no more."""
    connection = op.get_bind()
    audit = sa.table(
        'audit_log', sa.column('at', UtcDateTime), sa.column('action'), sa.column('subject')
    )
    amulets = sa.table(
        'amulets', sa.column('tag'), sa.column('code_hash'), sa.column('code_number')
    )
    changes = audit.c.action.in_(('secret-key.rotated', 'secret-key.adopted'))
    changed = connection.scalar(sa.select(sa.func.max(audit.c.at)).where(changes))
    if changed is None:
        return
    newest = (
        sa.select(audit.c.subject, sa.func.max(audit.c.at))
        .where(audit.c.action == 'amulet.added')
        .group_by(audit.c.subject)
    )
    made = {subject: at for subject, at in connection.execute(newest).all()}
    coded = sa.select(amulets.c.tag).where(amulets.c.code_hash.is_not(None))
    for (tag,) in connection.execute(coded).all():
        at = made.get(tag)
        if at is not None and at <= changed:
            void = sa.update(amulets).where(amulets.c.tag == tag).values(code_number=_VOID)
            connection.execute(void)


def downgrade() -> None:
    with op.batch_alter_table('amulets') as batch_op:
        batch_op.drop_column('code_number')
    op.drop_table('kept_keys')
