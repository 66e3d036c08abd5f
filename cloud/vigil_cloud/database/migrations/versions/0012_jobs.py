"""jobs: numbered changes, the newest readings, leased jobs

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

from vigil_cloud.database.base import UtcDateTime

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_head")),
    )
    op.create_table(
        "changes",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_changes")),
    )
    with op.batch_alter_table("changes") as batch:
        batch.create_index(batch.f("ix_changes_number"), ["number"])
    op.create_table(
        "newest_readings",
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("domain", sa.String(length=16), nullable=False),
        sa.Column("newest_us", sa.BigInteger(), nullable=False),
        sa.Column("readings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_newest_readings")),
    )
    with op.batch_alter_table("newest_readings") as batch:
        batch.create_index(batch.f("ix_newest_readings_domain"), ["domain"])
    op.create_table(
        "reading_states",
        sa.Column("handler", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("missed_us", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=400), nullable=True),
        sa.Column("updated", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("handler", "device", name=op.f("pk_reading_states")),
    )
    op.create_table(
        "work",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("queued", UtcDateTime(timezone=True), nullable=False),
        sa.Column("due", UtcDateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=True),
        sa.Column("leased_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work")),
    )
    with op.batch_alter_table("work") as batch:
        batch.create_index("ix_work_kind_key", ["kind", "key"])
        batch.create_index("ix_work_due", ["priority", "queued"])
    op.create_table(
        "work_dropped",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_work_dropped")),
    )
    op.create_table(
        "water_probe_hours",
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("hour", UtcDateTime(timezone=True), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("longest_gap_s", sa.Float(), nullable=False),
        sa.Column("flat", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", "hour", name=op.f("pk_water_probe_hours")),
    )
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("period_s", sa.Float(), nullable=False),
        sa.Column("due", UtcDateTime(timezone=True), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=True),
        sa.Column("leased_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("started", UtcDateTime(timezone=True), nullable=True),
        sa.Column("finished", UtcDateTime(timezone=True), nullable=True),
        sa.Column("succeeded", UtcDateTime(timezone=True), nullable=True),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )


def downgrade() -> None:
    op.drop_table("water_probe_hours")
    op.drop_table("work_dropped")
    op.drop_table("work")
    op.drop_table("reading_states")
    op.drop_table("jobs")
    op.drop_table("newest_readings")
    op.drop_table("changes")
    op.drop_table("change_head")
