"""people: amulets that families register, invitations, hosts of stations

Revision: 0029, after 0028
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('amulets',
    sa.Column('tag', sa.String(length=140), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('changed', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('tag', name=op.f('pk_amulets')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_amulets_code_hash'))
    )

    op.create_table('purpose_consents',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_key', sa.String(length=64), nullable=False),
    sa.Column('version', sa.String(length=16), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('capacity', sa.String(length=16), nullable=False),
    sa.Column('account', sa.String(length=64), nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_purpose_consents'))
    )
    with op.batch_alter_table('purpose_consents', schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f('ix_purpose_consents_person_key'), ['person_key'], unique=False
        )

    op.create_table('invitations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('person_key', sa.String(length=64), nullable=True),
    sa.Column('token_sha256', sa.String(length=64), nullable=False),
    sa.Column('nonce', sa.String(length=32), nullable=False),
    sa.Column('note', vigil_cloud.database.base.Sealed('invitation.note'), nullable=False),
    sa.Column('made_by', sa.String(length=64), nullable=False),
    sa.Column('made', UtcDateTime, nullable=False),
    sa.Column('expires', UtcDateTime, nullable=False),
    sa.Column('revoked', UtcDateTime, nullable=True),
    sa.Column('account_id', sa.Integer(), nullable=True),
    sa.Column('used', UtcDateTime, nullable=True),
    sa.ForeignKeyConstraint(
        ['account_id'],
        ['accounts.id'],
        name=op.f('fk_invitations_account_id_accounts'),
        ondelete='SET NULL',
    ),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invitations')),
    sa.UniqueConstraint('token_sha256', name=op.f('uq_invitations_token_sha256'))
    )
    with op.batch_alter_table('invitations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_invitations_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_invitations_expires'), ['expires'], unique=False)
        batch_op.create_index(batch_op.f('ix_invitations_made_by'), ['made_by'], unique=False)
        batch_op.create_index(batch_op.f('ix_invitations_person_key'), ['person_key'], unique=False)

    op.create_table('station_hosts',
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('nonce', sa.String(length=32), nullable=False),
    sa.Column('status_sha256', sa.String(length=64), nullable=False),
    sa.Column('host_sha256', sa.String(length=64), nullable=False),
    sa.Column('made', UtcDateTime, nullable=False),
    sa.Column('made_by', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('device', name=op.f('pk_station_hosts')),
    sa.UniqueConstraint('host_sha256', name=op.f('uq_station_hosts_host_sha256')),
    sa.UniqueConstraint('status_sha256', name=op.f('uq_station_hosts_status_sha256'))
    )

    op.create_table('station_silences',
    sa.Column('device', sa.String(length=64), nullable=False),
    sa.Column('since', UtcDateTime, nullable=False),
    sa.Column('noticed', UtcDateTime, nullable=False),
    sa.Column('told', UtcDateTime, nullable=True),
    sa.Column('ended', UtcDateTime, nullable=True),
    sa.PrimaryKeyConstraint('device', name=op.f('pk_station_silences'))
    )


def downgrade() -> None:
    op.drop_table('station_silences')
    op.drop_table('station_hosts')
    op.drop_table('invitations')
    op.drop_table('purpose_consents')
    op.drop_table('amulets')
