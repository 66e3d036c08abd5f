"""Homes and policies as registers; who belongs to a home, and a policy's steps, have pages of
their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError

from vigil_cloud.identity import households
from vigil_cloud.identity.household_schema import HouseholdKey
from vigil_cloud.identity.households import Described
from vigil_cloud.notify.escalation import policies
from vigil_cloud.registers.port import Act, BadEntry, Column, Entry, Register
from vigil_schemas.types import isoformat_utc

_KEY: Final[TypeAdapter[str]] = TypeAdapter(HouseholdKey)
_PAGE: Final = 500
_LATITUDE, _LONGITUDE = 90.0, 180.0


def _homes(act: Act) -> Sequence[Entry]:
    found: list[Entry] = []
    after: str | None = None
    while page := households.page(act.session, act.cipher, act.now, after=after, limit=_PAGE):
        after = page[-1].key
        for one in page:
            said, where = one.described, one.described.position
            found.append(
                {
                    "home": one.key,
                    "name": said.name,
                    "address": said.address,
                    "district": said.district,
                    "latitude": None if where is None else where[0],
                    "longitude": None if where is None else where[1],
                    "devices": [device for device, _, _ in one.devices],
                    "members": [each.account or each.person or "" for each in one.members],
                    "created": isoformat_utc(one.created),
                }
            )
    return found


def _add_home(act: Act, key: str, entry: Entry) -> None:
    try:
        _KEY.validate_python(key)
    except ValidationError as error:
        raise BadEntry("home", "letters, digits, points and hyphens alone, at most 64") from error
    _put(act, key, Described(""), entry)


def _change_home(act: Act, key: str, entry: Entry) -> None:
    _put(act, key, households.find(act.session, act.cipher, act.now, key).described, entry)


def _put(act: Act, key: str, before: Described, entry: Entry) -> None:
    """What is not written stays as it was."""
    wanted = Described(
        _written(entry, "name", before.name),
        _written(entry, "address", before.address),
        _written(entry, "district", before.district or "") or None,
        _position(entry, before.position),
    )
    households.put(act.session, act.cipher, key, wanted, by=act.by, now=act.now)


def _written(entry: Entry, name: str, before: str) -> str:
    if name not in entry:
        return before
    value = entry[name]
    return value if isinstance(value, str) else ""


def _position(entry: Entry, before: tuple[float, float] | None) -> tuple[float, float] | None:
    found = dict(zip(("latitude", "longitude"), before or (None, None), strict=True))
    for name, most in (("latitude", _LATITUDE), ("longitude", _LONGITUDE)):
        if name not in entry:
            continue
        value = entry[name]
        if value is not None and not (isinstance(value, float) and abs(value) <= most):
            raise BadEntry(name, f"lies from -{most:g} to {most:g} degrees")
        found[name] = value if isinstance(value, float) else None
    latitude, longitude = found["latitude"], found["longitude"]
    if (latitude is None) != (longitude is None):
        raise BadEntry("longitude", "latitude and longitude belong together")
    return None if latitude is None or longitude is None else (latitude, longitude)


HOMES: Final = Register(
    name="homes",
    title="Homes",
    title_zh="住家",
    key="home",
    columns=(
        Column(name="home", title="Key", title_zh="代號", required=True, fixed=True),
        Column(name="name", title="Name", title_zh="名稱", required=True, longest=120),
        Column(name="address", title="Address", title_zh="地址", longest=200),
        Column(name="district", title="District", title_zh="行政區"),
        Column(name="latitude", title="Latitude", title_zh="緯度", kind="number"),
        Column(name="longitude", title="Longitude", title_zh="經度", kind="number"),
        Column(name="devices", title="Devices", title_zh="裝置", kind="words", shown=True),
        Column(name="members", title="Members", title_zh="成員", kind="words", shown=True),
        Column(name="created", title="Since", title_zh="建立於", kind="time", shown=True),
    ),
    rows=_homes,
    told_by=("household.",),
    add=_add_home,
    change=_change_home,
    page="/administration/households/",
)


def _policies(act: Act) -> Sequence[Entry]:
    return [
        {
            "policy": one.policy.name,
            "steps": float(len(one.policy.steps)),
            "gaps": policies.worded(one),
            "changed_by": one.changed_by,
            "changed": isoformat_utc(one.changed),
        }
        for one in policies.stored(act.session)
    ]


def _remove_policy(act: Act, key: str) -> None:
    policies.remove(act.session, key, by=act.by, now=act.now)


POLICIES: Final = Register(
    name="policies",
    title="Escalation",
    title_zh="升級通報",
    key="policy",
    columns=(
        Column(name="policy", title="Policy", title_zh="政策", required=True, fixed=True),
        Column(name="steps", title="Steps", title_zh="步驟數", kind="number", shown=True),
        Column(name="gaps", title="Cannot be called", title_zh="無法聯絡", shown=True),
        Column(name="changed_by", title="Changed by", title_zh="修改者", shown=True),
        Column(name="changed", title="Changed", title_zh="修改於", kind="time", shown=True),
    ),
    rows=_policies,
    told_by=("escalation-policy.",),
    ended_by=("escalation-policy.removed",),
    retire=_remove_policy,
    page="/administration/escalation/",
)
