"""enrolment: the authority, gateways' certificates, one-time codes

Revision: 0058, after 0044
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base

revision = '0058'
down_revision = '0044'
branch_labels = None
depends_on = None

UtcDateTime = vigil_cloud.database.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table('certificate_authority',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('certificate', sa.Text(), nullable=False),
    sa.Column('key', vigil_cloud.database.base.Sealed('authority.key'), nullable=False),
    sa.Column('created', UtcDateTime, nullable=False),
    sa.Column('list_number', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_certificate_authority'))
    )
    op.create_table('enrolment_codes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('replaces', sa.Boolean(), nullable=False),
    sa.Column('account', sa.String(length=96), nullable=False),
    sa.Column('created', UtcDateTime, nullable=False),
    sa.Column('expires', UtcDateTime, nullable=False),
    sa.Column('used', UtcDateTime, nullable=True),
    sa.Column('serial', sa.String(length=40), nullable=True),
    sa.Column('key_sha256', sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_enrolment_codes')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_enrolment_codes_code_hash'))
    )
    op.create_index(op.f('ix_enrolment_codes_gateway'), 'enrolment_codes', ['gateway'], unique=False)

    op.create_table('gateway_certificates',
    sa.Column('serial', sa.String(length=40), nullable=False),
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('key_sha256', sa.String(length=64), nullable=False),
    sa.Column('certificate', sa.Text(), nullable=False),
    sa.Column('issued', UtcDateTime, nullable=False),
    sa.Column('ends', UtcDateTime, nullable=False),
    sa.Column('revoked', UtcDateTime, nullable=True),
    sa.Column('reason', sa.String(length=24), nullable=True),
    sa.Column('account', sa.String(length=96), nullable=False),
    sa.PrimaryKeyConstraint('serial', name=op.f('pk_gateway_certificates'))
    )
    op.create_index(op.f('ix_gateway_certificates_gateway'), 'gateway_certificates', ['gateway'], unique=False)



def downgrade() -> None:
    op.drop_index(op.f('ix_gateway_certificates_gateway'), table_name='gateway_certificates')

    op.drop_table('gateway_certificates')
    op.drop_index(op.f('ix_enrolment_codes_gateway'), table_name='enrolment_codes')

    op.drop_table('enrolment_codes')
    op.drop_table('certificate_authority')
