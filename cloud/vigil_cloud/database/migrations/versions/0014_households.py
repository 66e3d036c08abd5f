"""households: districts, places, households, and what alerts keep of them

Revision: 0014, after 0013
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_alerts_household_order", ["household", "raised", "id"]),
    ("ix_alerts_household_priority", ["household", "priority", "raised", "id"]),
    ("ix_alerts_district_order", ["domain", "district", "raised", "id"]),
    ("ix_alerts_district_priority", ["domain", "district", "priority", "raised", "id"]),
)


def _time(name: str, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(
        name, vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=nullable
    )


def _district(table: str, nullable: bool = False) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("district", sa.String(length=40), nullable=nullable),
        sa.ForeignKeyConstraint(
            ["district"], ["districts.district"], name=op.f(f"fk_{table}_district_districts")
        ),
    ]


def _household(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("household", sa.String(length=48), nullable=False),
        sa.ForeignKeyConstraint(
            ["household"],
            ["households.key"],
            name=op.f(f"fk_{table}_household_households"),
            ondelete="CASCADE",
        ),
    ]


def _account(table: str, nullable: bool = False) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("account_id", sa.Integer(), nullable=nullable),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f(f"fk_{table}_account_id_accounts"),
            ondelete="CASCADE",
        ),
    ]


def upgrade() -> None:
    op.create_table(
        "districts",
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_zh", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("district", name=op.f("pk_districts")),
    )
    op.create_table(
        "account_districts",
        *_account("account_districts"),
        *_district("account_districts"),
        sa.PrimaryKeyConstraint("account_id", "district", name=op.f("pk_account_districts")),
    )
    op.create_index(op.f("ix_account_districts_district"), "account_districts", ["district"])
    op.create_table(
        "locations",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("thing", sa.String(length=64), nullable=False),
        *_district("locations"),
        sa.PrimaryKeyConstraint("kind", "thing", name=op.f("pk_locations")),
    )
    op.create_index(op.f("ix_locations_district"), "locations", ["district"])
    op.create_table(
        "households",
        sa.Column("key", sa.String(length=48), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.LargeBinary(), nullable=True),
        *_district("households", nullable=True),
        _time("created"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_households")),
    )
    op.create_index(op.f("ix_households_district"), "households", ["district"])
    op.create_table(
        "household_members",
        sa.Column("id", sa.Integer(), nullable=False),
        *_household("household_members"),
        *_account("household_members", nullable=True),
        sa.Column("person_key", sa.String(length=64), nullable=True),
        sa.Column("relation", sa.String(length=16), nullable=False),
        _time("since"),
        _time("until", nullable=True),
        sa.CheckConstraint(
            "(account_id IS NULL) <> (person_key IS NULL)",
            name=op.f("ck_household_members_one_member"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_members")),
    )
    for column in ("household", "account_id", "person_key"):
        op.create_index(op.f(f"ix_household_members_{column}"), "household_members", [column])
    op.create_table(
        "household_devices",
        sa.Column("id", sa.Integer(), nullable=False),
        *_household("household_devices"),
        sa.Column("device", sa.String(length=64), nullable=False),
        _time("since"),
        _time("until", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_devices")),
    )
    for column in ("household", "device"):
        op.create_index(op.f(f"ix_household_devices_{column}"), "household_devices", [column])
    op.add_column("alerts", sa.Column("household", sa.String(length=48), nullable=True))
    op.add_column("alerts", sa.Column("district", sa.String(length=40), nullable=True))
    op.add_column("cases", sa.Column("district", sa.String(length=40), nullable=True))
    for name, columns in _INDEXES:
        op.create_index(name, "alerts", columns)


def downgrade() -> None:
    for name, _ in _INDEXES:
        op.drop_index(name, "alerts")
    op.drop_column("cases", "district")
    op.drop_column("alerts", "district")
    op.drop_column("alerts", "household")
    for table in (
        "household_devices",
        "household_members",
        "households",
        "locations",
        "account_districts",
        "districts",
    ):
        op.drop_table(table)
