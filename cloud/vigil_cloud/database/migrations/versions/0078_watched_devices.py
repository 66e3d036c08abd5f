"""devices: which kinds hang on a gateway and which have failed, each by an index

Revision: 0078, after 0077
"""

from alembic import op

revision = '0078'
down_revision = '0077'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_devices_kinds', 'devices', ['gateway', 'domain', 'described'])
    op.create_index('ix_devices_state', 'devices', ['state'])


def downgrade() -> None:
    op.drop_index('ix_devices_state', 'devices')
    op.drop_index('ix_devices_kinds', 'devices')
