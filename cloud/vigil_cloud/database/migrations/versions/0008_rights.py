"""rights

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "looks",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("person_key", sa.String(length=64), nullable=True),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("first", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_looks")),
    )
    with op.batch_alter_table("looks") as batch:
        batch.create_index(batch.f("ix_looks_last"), ["last"])
        batch.create_index(batch.f("ix_looks_person_key"), ["person_key"])
        batch.create_index("ix_looks_open", ["account", "what", "closed"])
    op.create_table(
        "person_keys",
        sa.Column("person_key", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("destroyed", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("person_key", name=op.f("pk_person_keys")),
    )
    op.create_table(
        "gateway_revocations",
        sa.Column("gateway", sa.String(length=63), nullable=False),
        sa.Column("at", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_gateway_revocations")),
    )
    with op.batch_alter_table("audit_log") as batch:
        batch.add_column(
            sa.Column("redacted", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.create_table(
        "secret_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("since", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_key")),
    )


def downgrade() -> None:
    op.drop_table("secret_key")
    with op.batch_alter_table("audit_log") as batch:
        batch.drop_column("redacted")
    op.drop_table("gateway_revocations")
    op.drop_table("person_keys")
    op.drop_table("looks")
