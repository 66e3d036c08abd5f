"""walls: nothing had to change

Revision: 0019, after 0018
"""

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: the tables are the same."""


def downgrade() -> None:
    """Nothing: the tables are the same."""
