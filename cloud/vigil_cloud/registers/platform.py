"""The platform's own registers: accounts, channels, districts, gateways, devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select

from vigil_cloud.devices.downlink_errors import UnknownGateway
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.service import UnknownDevice
from vigil_cloud.devices.visibility import visible_devices, visible_gateways
from vigil_cloud.identity import audit, districts, service
from vigil_cloud.identity.errors import LastAdministrator
from vigil_cloud.identity.household_schema import DistrictId
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.personal_records import lock_all
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import Username
from vigil_cloud.notify import channels, removal
from vigil_cloud.registers.homes import HOMES, POLICIES
from vigil_cloud.registers.port import Act, BadEntry, Column, Entry, Register, first_password
from vigil_schemas.types import isoformat_utc

ROLES: Final = tuple(role.value for role in Role)
_USERNAME: Final[TypeAdapter[str]] = TypeAdapter(Username)
_DISTRICT: Final[TypeAdapter[str]] = TypeAdapter(DistrictId)
_MINIMUM: Final = ("info", "minor", "major", "critical")


# -- accounts


def _accounts(act: Act) -> Sequence[Entry]:
    return [
        {
            "username": one.username,
            "display_name": one.display_name,
            "roles": list(one.roles),
            "email": one.email,
            "language": one.language,
            "active": one.active,
            "created": isoformat_utc(one.created),
        }
        for one in service.accounts(act.session)
    ]


def _add_account(act: Act, key: str, entry: Entry) -> str:
    try:
        _USERNAME.validate_python(key)
    except ValidationError as error:
        raise BadEntry("username", "letters, digits and . _ @ - alone, at most 64") from error
    password = first_password()
    if entry.get("active") is False:
        lock_all(act.session)  # before the log, as whoever closes an account
    service.add_account(
        act.session,
        username=key,
        password=password,
        roles=[Role(one) for one in _words(entry, "roles")],
        now=act.now,
        display_name=_text(entry, "display_name"),
        email=_text(entry, "email"),
        language=_text(entry, "language") or "zh-TW",
    )
    if entry.get("active") is False:
        service.set_active(act.session, key, active=False, by=act.by, now=act.now)
    audit.append(act.session, at=act.now, account=act.by, action="account.registered", subject=key)
    return password


def _change_account(act: Act, key: str, entry: Entry) -> None:
    account = service.account_named(act.session, key)
    if "roles" in entry or entry.get("active") is False:
        lock_all(act.session)
    if "roles" in entry or entry.get("active") is False:
        audit.lock(act.session)  # two administrators who take each other's role: one finds a last
        roles = _words(entry, "roles") if "roles" in entry else list(account.roles)
        _administrator_left(act, account, roles, active=entry.get("active") is not False)
    if "roles" in entry:
        roles_ = [Role(one) for one in _words(entry, "roles")]
        service.set_roles(act.session, account, roles_, by=act.by, now=act.now)
    plain = {k: _text(entry, k) for k in ("display_name", "email", "language") if k in entry}
    news = {k: value for k, value in plain.items() if getattr(account, k) != value}
    for name, value in news.items():
        setattr(account, name, value)
    if news:
        act.session.flush()
        audit.append(
            act.session,
            at=act.now,
            account=act.by,
            action="account.changed",
            subject=key,
            detail={"columns": sorted(news)},
        )
    active = entry.get("active")
    if isinstance(active, bool) and active != account.active:
        service.set_active(act.session, key, active=active, by=act.by, now=act.now)


def _administrator_left(act: Act, account: Account, roles: Sequence[str], *, active: bool) -> None:
    if active and Role.ADMINISTRATOR.value in roles:
        return
    for other in service.accounts(act.session):
        if other.id != account.id and other.active and Role.ADMINISTRATOR.value in other.roles:
            return
    if account.active and Role.ADMINISTRATOR.value in account.roles:
        raise LastAdministrator(account.username)


def _close_account(act: Act, key: str) -> None:
    _change_account(act, key, {"active": False})


ACCOUNTS: Final = Register(
    name="accounts",
    title="Accounts",
    title_zh="帳號",
    key="username",
    columns=(
        Column(
            name="username", title="User name", title_zh="使用者名稱", required=True, fixed=True
        ),
        Column(name="display_name", title="Name", title_zh="姓名", longest=120),
        Column(
            name="roles",
            title="Roles",
            title_zh="角色",
            kind="words",
            required=True,
            options=ROLES,
        ),
        Column(name="email", title="E-mail", title_zh="電子郵件", longest=254),
        Column(
            name="language",
            title="Language",
            title_zh="語言",
            kind="choice",
            options=("zh-TW", "en"),
        ),
        Column(name="active", title="May sign in", title_zh="可登入", kind="flag"),
        Column(name="created", title="Since", title_zh="建立於", kind="time", shown=True),
    ),
    rows=_accounts,
    told_by=("account.", "session.", "sessions.", "password.", "guardian.", "consent."),
    ended_by=("account.removed",),
    add=_add_account,
    change=_change_account,
    retire=_close_account,
    most_added=25,
)


# -- channels


def _channels(act: Act) -> Sequence[Entry]:
    return [
        {
            "name": one.name,
            "address": None,
            "account": one.account,
            "role": one.role,
            "domains": list(one.domains),
            "minimum": one.minimum,
            "enabled": one.enabled,
        }
        for one in removal.channels(act.session)
    ]


_COLUMN_OF: Final = {"kept-name": "name", "no-owner": "account"}
"""Where what is wrong with a channel was written."""


def _add_channel(act: Act, key: str, entry: Entry) -> None:
    if not 1 <= len(key) <= 80:
        raise BadEntry("name", "has 1 to 80 characters")
    if any(one.name == key for one in removal.channels(act.session)):
        raise BadEntry("name", f"there is a channel {key!r} already: retire that first")
    username, role = _text(entry, "account"), _text(entry, "role")
    account = service.account_named(act.session, username) if username else None
    try:
        channels.put_channel(
            act.session,
            act.cipher,
            name=key,
            url=_text(entry, "address"),
            account=account,
            role=Role(role) if role else None,
            domains=_words(entry, "domains"),
            minimum=_text(entry, "minimum") or "info",
        )
    except channels.BadChannel as error:
        column = _COLUMN_OF.get(error.reason, "address")
        raise BadEntry(column, error.text) from error
    audit.append(act.session, at=act.now, account=act.by, action="channel.added", subject=key)


def _remove_channel(act: Act, key: str) -> None:
    removal.remove_channel(act.session, key, by=act.by, now=act.now)


CHANNELS: Final = Register(
    name="channels",
    title="Channels",
    title_zh="通知管道",
    key="name",
    columns=(
        Column(name="name", title="Name", title_zh="名稱", required=True, fixed=True),
        Column(
            name="address",
            title="Address (Apprise)",
            title_zh="位址（Apprise）",
            required=True,
            secret=True,
            fixed=True,
        ),
        Column(name="account", title="Of the account", title_zh="所屬帳號", fixed=True),
        Column(
            name="role",
            title="Or of a role",
            title_zh="或所屬角色",
            kind="choice",
            options=ROLES,
            fixed=True,
        ),
        Column(name="domains", title="Domains", title_zh="領域", kind="words", fixed=True),
        Column(
            name="minimum",
            title="From severity",
            title_zh="最低嚴重度",
            kind="choice",
            options=_MINIMUM,
            fixed=True,
        ),
        Column(name="enabled", title="In use", title_zh="使用中", kind="flag", shown=True),
    ),
    rows=_channels,
    told_by=("channel.", "push."),
    ended_by=("channel.removed", "push.ended"),
    add=_add_channel,
    retire=_remove_channel,
)


# -- districts


def _districts(act: Act) -> Sequence[Entry]:
    return [
        {
            "district": one.district,
            "name": one.name,
            "name_zh": one.name_zh,
            "drawn": one.outline is not None,
        }
        for one in districts.districts(act.session)
    ]


def _put_district(act: Act, key: str, entry: Entry) -> None:
    there = {row["district"]: row for row in _districts(act)}.get(key, {})
    names = {k: _text(entry, k) if k in entry else _text(there, k) for k in ("name", "name_zh")}
    try:
        _DISTRICT.validate_python(key)
    except ValidationError as error:
        raise BadEntry("district", "letters, digits, hyphens and points alone") from error
    districts.put(act.session, key, names["name"], names["name_zh"], by=act.by, now=act.now)


def _remove_district(act: Act, key: str) -> None:
    districts.remove(act.session, key, by=act.by, now=act.now)


DISTRICTS: Final = Register(
    name="districts",
    title="Districts",
    title_zh="行政區",
    key="district",
    columns=(
        Column(name="district", title="Id", title_zh="編號", required=True, fixed=True),
        Column(
            name="name", title="Name in English", title_zh="英文名稱", required=True, longest=80
        ),
        Column(
            name="name_zh", title="Name in Chinese", title_zh="中文名稱", required=True, longest=80
        ),
        Column(name="drawn", title="On the map", title_zh="已畫在地圖上", kind="flag", shown=True),
    ),
    rows=_districts,
    told_by=("district.",),
    ended_by=("district.removed",),
    add=_put_district,
    change=_put_district,
    retire=_remove_district,
)


# -- gateways and devices: what they are is said by themselves; where they stand is said here


def _gateways(act: Act) -> Sequence[Entry]:
    seen = select(Gateway).where(visible_gateways(act.reader))
    rows = act.session.scalars(seen.order_by(Gateway.gateway)).all()
    places = districts.places(act.session, "gateway", [row.gateway for row in rows])
    return [
        {
            "gateway": row.gateway,
            "district": places.get(row.gateway),
            "software": row.software,
            "connected": row.connected and not row.offline,
            "last_seen": None if row.last_seen is None else isoformat_utc(row.last_seen),
            "added": isoformat_utc(row.added),
        }
        for row in rows
    ]


def _place_gateway(act: Act, key: str, entry: Entry) -> None:
    mine = visible_gateways(act.reader)
    if act.session.scalar(select(Gateway.gateway).where(Gateway.gateway == key, mine)) is None:
        raise UnknownGateway(key)
    _place(act, "gateway", key, entry)


def _place_device(act: Act, key: str, entry: Entry) -> None:
    mine = visible_devices(act.reader)
    if act.session.scalar(select(Device.device).where(Device.device == key, mine)) is None:
        raise UnknownDevice(key)
    _place(act, "device", key, entry)


def _place(act: Act, kind: districts.Kind, key: str, entry: Entry) -> None:
    if "district" in entry:
        where = _text(entry, "district") or None
        districts.place(act.session, kind, key, where, by=act.by, now=act.now)


GATEWAYS: Final = Register(
    name="gateways",
    title="Gateways",
    title_zh="閘道器",
    key="gateway",
    columns=(
        Column(name="gateway", title="Id", title_zh="編號", required=True, fixed=True),
        Column(name="district", title="District", title_zh="行政區"),
        Column(name="software", title="Software", title_zh="軟體", shown=True),
        Column(name="connected", title="Connected", title_zh="連線中", kind="flag", shown=True),
        Column(name="last_seen", title="Heard last", title_zh="最近連線", kind="time", shown=True),
        Column(name="added", title="Since", title_zh="加入於", kind="time", shown=True),
    ),
    rows=_gateways,
    told_by=("gateway.", "config.", "command."),
    change=_place_gateway,
    page="/gateways/",
)


def _devices(act: Act) -> Sequence[Entry]:
    seen = select(Device).where(visible_devices(act.reader))
    rows = act.session.scalars(seen.order_by(Device.device)).all()
    places = districts.places(act.session, "device", [row.device for row in rows])
    return [
        {
            "device": row.device,
            "name": row.name,
            "name_zh": row.name_zh,
            "district": places.get(row.device),
            "domain": row.domain,
            "gateway": row.gateway,
            "driver": row.driver,
            "latitude": row.latitude,
            "longitude": row.longitude,
        }
        for row in rows
    ]


DEVICES: Final = Register(
    name="devices",
    title="Devices",
    title_zh="裝置",
    key="device",
    columns=(
        Column(name="device", title="Id", title_zh="編號", required=True, fixed=True),
        Column(name="name", title="Name in English", title_zh="英文名稱", shown=True),
        Column(name="name_zh", title="Name in Chinese", title_zh="中文名稱", shown=True),
        Column(name="district", title="District", title_zh="行政區"),
        Column(name="domain", title="Domain", title_zh="領域", shown=True),
        Column(name="gateway", title="Gateway", title_zh="閘道器", shown=True),
        Column(name="driver", title="Driver", title_zh="驅動程式", shown=True),
        Column(name="latitude", title="Latitude", title_zh="緯度", kind="number", shown=True),
        Column(name="longitude", title="Longitude", title_zh="經度", kind="number", shown=True),
    ),
    rows=_devices,
    told_by=("device.", "command."),
    change=_place_device,
    page="/devices/",
)

PLATFORM: Final = (ACCOUNTS, CHANNELS, POLICIES, HOMES, DISTRICTS, GATEWAYS, DEVICES)


def _text(entry: Entry, name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _words(entry: Entry, name: str) -> list[str]:
    value: Any = entry.get(name)
    return cast(list[str], value) if isinstance(value, list) else []
