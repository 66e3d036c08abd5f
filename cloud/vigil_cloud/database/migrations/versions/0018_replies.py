"""replies: one-time links, devices and parameters put aside

Revision: 0018, after 0017
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import vigil_cloud.database.base


revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def _time(name: str, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(
        name, vigil_cloud.database.base.UtcDateTime(timezone=True), nullable=nullable
    )


def upgrade() -> None:
    op.create_table(
        "device_shelves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("parameter", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        _time("begun"),
        _time("until", nullable=True),
        _time("ended", nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        _time("reminded", nullable=True),
        sa.Column("settled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_shelves")),
    )
    op.create_index(op.f("ix_device_shelves_device"), "device_shelves", ["device"])
    op.create_index("ix_device_shelves_open", "device_shelves", ["settled", "until"])
    op.create_table(
        "reply_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        _time("created"),
        _time("expires"),
        _time("used", nullable=True),
        sa.Column("answer", sa.String(length=16), nullable=True),
        sa.Column("request_id", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_reply_links_alert_id_alerts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_reply_links_channel_id_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_links")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_reply_links_token_sha256")),
        sa.UniqueConstraint("channel_id", "request_id", name=op.f("uq_reply_links_channel_id")),
    )
    op.create_index("ix_reply_links_alert_channel", "reply_links", ["alert_id", "channel_id"])
    op.create_index(op.f("ix_reply_links_expires"), "reply_links", ["expires"])
    op.add_column("channels", sa.Column("hook_secret", sa.LargeBinary(), nullable=True))
    op.add_column(
        "devices", sa.Column("shelves", sa.JSON(), nullable=False, server_default="[]")
    )
    op.add_column("alerts", sa.Column("parameter", sa.String(length=48), nullable=True))
    op.add_column("alerts", sa.Column("device_shelf", sa.String(length=16), nullable=True))
    op.add_column("alerts", _time("device_shelf_until", nullable=True))
    op.add_column("alerts", sa.Column("device_shelf_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE alerts SET parameter = (SELECT MIN(water_excursions.parameter) FROM"
        " water_excursions WHERE water_excursions.alert_id = alerts.id) WHERE domain = 'water'"
    )
    _list_planned_work()


def _list_planned_work() -> None:
    """Work that runs has an entry of its own from now on, so that it is listed and ended. What is
    past is no work any more: nobody is told years later that it has ended."""
    shelves = sa.table(
        "device_shelves",
        *(sa.column(name) for name in ("device", "parameter", "kind", "reason", "account")),
        sa.column("begun", vigil_cloud.database.base.UtcDateTime(timezone=True)),
        sa.column("until", vigil_cloud.database.base.UtcDateTime(timezone=True)),
    )
    devices = sa.table(
        "devices",
        sa.column("device"),
        sa.column("updated", vigil_cloud.database.base.UtcDateTime(timezone=True)),
        sa.column("out_of_service_until", vigil_cloud.database.base.UtcDateTime(timezone=True)),
    )
    out = sa.select(devices).where(devices.c.out_of_service_until > datetime.now(UTC))
    rows = [
        {
            "device": row.device,
            "parameter": "",
            "kind": "out-of-service",
            "reason": "planned work",
            "account": "",
            "begun": row.updated,
            "until": row.out_of_service_until,
        }
        for row in op.get_bind().execute(out).all()
    ]
    if rows:
        op.bulk_insert(shelves, rows)


def downgrade() -> None:
    for column in ("device_shelf_id", "device_shelf_until", "device_shelf", "parameter"):
        op.drop_column("alerts", column)
    op.drop_column("devices", "shelves")
    op.drop_column("channels", "hook_secret")
    for table in ("reply_links", "device_shelves"):
        op.drop_table(table)
