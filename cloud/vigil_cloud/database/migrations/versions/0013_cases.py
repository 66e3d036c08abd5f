"""cases

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "case_counters",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_case_counters")),
    )
    op.create_table(
        "case_requests",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("at", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_case_requests")),
    )
    with op.batch_alter_table("case_requests") as batch:
        batch.create_index(batch.f("ix_case_requests_at"), ["at"])

    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("domain", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=True),
        sa.Column("label", sa.String(length=300), nullable=False),
        sa.Column("label_zh", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("opened", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.Column("since", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("assignee", sa.String(length=64), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("fresh_from", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("amount_twd", sa.Integer(), nullable=True),
        sa.Column("resolution", sa.String(length=40), nullable=True),
        sa.Column("due", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column(
            "kept_until", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True
        ),
        sa.Column("person_key", sa.String(length=64), nullable=True),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("number", name=op.f("uq_cases_number")),
    )
    with op.batch_alter_table("cases") as batch:
        batch.create_index("ix_cases_assignee_order", ["assignee", "opened", "id"])
        batch.create_index("ix_cases_due_order", ["due", "id"])
        batch.create_index(batch.f("ix_cases_kept_until"), ["kept_until"])
        batch.create_index("ix_cases_kind_order", ["kind", "opened", "id"])
        batch.create_index("ix_cases_order", ["opened", "id"])
        batch.create_index(batch.f("ix_cases_person_key"), ["person_key"])

    op.create_table(
        "case_access",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("until", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_access_case_id_cases"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_access")),
        sa.UniqueConstraint("case_id", "account", name=op.f("uq_case_access_case_id")),
    )
    with op.batch_alter_table("case_access") as batch:
        batch.create_index(batch.f("ix_case_access_account"), ["account"])

    op.create_table(
        "case_alerts",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("added", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_alerts_case_id_cases"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_case_alerts")),
    )
    with op.batch_alter_table("case_alerts") as batch:
        batch.create_index(batch.f("ix_case_alerts_case_id"), ["case_id"])

    op.create_table(
        "case_deadlines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.Column("due", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("remind", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("reminded", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("overdue", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("met", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
            name=op.f("fk_case_deadlines_case_id_cases"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_deadlines")),
    )
    with op.batch_alter_table("case_deadlines") as batch:
        batch.create_index(batch.f("ix_case_deadlines_case_id"), ["case_id"])
        batch.create_index("ix_case_deadlines_open", ["met", "due"])

    op.create_table(
        "case_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.String(length=32), nullable=True),
        sa.Column("audit", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_events_case_id_cases"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_case_events_case_id")),
    )
    op.create_table(
        "case_photographs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.Column("object_name", sa.String(length=200), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("received_sha256", sa.String(length=64), nullable=False),
        sa.Column("location_removed", sa.Boolean(), nullable=False),
        sa.Column("taken", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("added", vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
            name=op.f("fk_case_photographs_case_id_cases"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_photographs")),
    )
    with op.batch_alter_table("case_photographs") as batch:
        batch.create_index(batch.f("ix_case_photographs_case_id"), ["case_id"])

    op.create_table(
        "case_votes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("amount_twd", sa.Integer(), nullable=True),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_votes_case_id_cases"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_votes")),
        sa.UniqueConstraint("case_id", "round", "account", name=op.f("uq_case_votes_case_id")),
    )
    with op.batch_alter_table("audit_log") as batch:
        batch.create_index(batch.f("ix_audit_log_subject"), ["subject"])


def downgrade() -> None:
    with op.batch_alter_table("audit_log") as batch:
        batch.drop_index(batch.f("ix_audit_log_subject"))

    op.drop_table("case_votes")
    with op.batch_alter_table("case_photographs") as batch:
        batch.drop_index(batch.f("ix_case_photographs_case_id"))

    op.drop_table("case_photographs")
    op.drop_table("case_events")
    with op.batch_alter_table("case_deadlines") as batch:
        batch.drop_index("ix_case_deadlines_open")
        batch.drop_index(batch.f("ix_case_deadlines_case_id"))

    op.drop_table("case_deadlines")
    with op.batch_alter_table("case_alerts") as batch:
        batch.drop_index(batch.f("ix_case_alerts_case_id"))

    op.drop_table("case_alerts")
    with op.batch_alter_table("case_access") as batch:
        batch.drop_index(batch.f("ix_case_access_account"))

    op.drop_table("case_access")
    with op.batch_alter_table("cases") as batch:
        batch.drop_index(batch.f("ix_cases_person_key"))
        batch.drop_index("ix_cases_order")
        batch.drop_index("ix_cases_kind_order")
        batch.drop_index(batch.f("ix_cases_kept_until"))
        batch.drop_index("ix_cases_due_order")
        batch.drop_index("ix_cases_assignee_order")

    op.drop_table("cases")
    with op.batch_alter_table("case_requests") as batch:
        batch.drop_index(batch.f("ix_case_requests_at"))

    op.drop_table("case_requests")
    op.drop_table("case_counters")
