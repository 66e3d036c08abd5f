"""Who lives in the town of the browser tests, what stands in it, and how it is seeded."""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from revisions import bring_up
from vigil_cloud import seed
from vigil_cloud.config import load
from vigil_cloud.stores import build_services

EAST: Final = ((23.470, 120.452), (23.470, 120.475), (23.490, 120.475), (23.490, 120.452))
"""Corners of a district, latitude and longitude."""
PASSWORD: Final = "three calm herons fishing"
GATEWAY: Final = "gw-town"
TOKEN: Final = "token-of-the-town"
GRANDMOTHER: Final = "ibeacon:0123456789abcdef0123456789abcdef:1:7"
STRANGER: Final = "ibeacon:0123456789abcdef0123456789abcdef:1:8"
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"t" * 32)

MICROPHONE, CANAL, MARKET, PARK, KITCHEN = (
    "mic-zhongshan",
    "sonde-canal",
    "station-market",
    "station-park",
    "alarm-lin",
)
DEVICES: Final = (
    (MICROPHONE, "noise", "pcm", "Zhongshan Road crossing", "中山路口", 23.4801, 120.4492),
    (CANAL, "water", "modbus-tcp", "Canal outfall 3", "排水口三號", 23.4722, 120.4379),
    (MARKET, "checkin", "ble", "Nanmen Market", "南門市場", 23.4752, 120.4501),
    (PARK, "checkin", "ble", "Chiayi Park gate", "嘉義公園大門", 23.4815, 120.4668),
    (KITCHEN, "smoke", "zigbee2mqtt", "Lin home, kitchen", "林宅廚房", 23.4779, 120.4552),
)
ACCOUNTS: Final = {
    "admin": ("值班中心", ["administrator", "inspector", "dispatcher"], "en"),
    "inspector": ("王稽查員", ["inspector"], "en"),
    "reviewer-a": ("甲審查員", ["reviewer"], "en"),
    "reviewer-b": ("乙審查員", ["reviewer"], "en"),
    "officer": ("林警員", ["police"], "en"),
    "keeper": ("維護員", ["maintainer"], "zh-TW"),
    "mei": ("林美玲", ["family"], "zh-TW"),
    "lone": ("獨居", ["family"], "en"),
    "farmers": ("道將圳水利小組", ["irrigation"], "zh-TW"),
    "vera": ("志工維拉", ["volunteer"], "en"),
    "bureau": ("衛生局收案員", ["registrar"], "en"),
    "temple": ("廟公", ["host"], "zh-TW"),
}
NAMES: Final = {"grandmother": "林奶奶", "stranger": "陳爺爺"}


def _toml(table: str, /, **values: Any) -> str:
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return f"[[{table}]]\n" + "\n".join(lines) + "\n"


def _seed(hook: str) -> str:
    expires = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    parts = [
        _toml(
            "account",
            username=name,
            password=PASSWORD,
            roles=roles,
            display_name=shown,
            language=language,
        )
        for name, (shown, roles, language) in ACCOUNTS.items()
    ]
    # Each discharge of a test is its own; what begins at one moment belongs together.
    parts.append(_toml("incident_rules", longest_hours=0.0))
    parts.append(_toml("gateway", id=GATEWAY, token=TOKEN))
    parts += _noise_register()
    parts.append(_toml("person", key="grandmother", name=NAMES["grandmother"], guardians=["mei"]))
    parts.append(_toml("person", key="stranger", name=NAMES["stranger"]))
    parts += [_toml("person_rule", person=key, kind="seen") for key in ("grandmother", "stranger")]
    parts.append(_toml("tag", tag=GRANDMOTHER, person="grandmother"))
    parts.append(_toml("tag", tag=STRANGER, person="stranger"))
    parts.append(_toml("household", key="temple", name="Temple", devices=[MARKET]))
    parts.append(_toml("member", household="temple", account="temple", relation="contact"))
    scopes = ["last_place", "footprint", "live", "alerts"]
    given = {"person": "grandmother", "account": "mei", "expires": expires, "scopes": scopes}
    parts.append(_toml("consent", **given))
    parts += [
        _toml("channel", name=f"phone of the {role}", url=hook, role=role, language=language)
        for role, language in (("inspector", "zh-TW"), ("dispatcher", "en"))
    ]
    return "\n".join(parts)


def _noise_register() -> list[str]:
    """One crossing, its limit, and an instrument whose certificates hold."""
    today = datetime.now(UTC).date()
    span = {
        "valid_from": (today - timedelta(days=30)).isoformat(),
        "valid_until": (today + timedelta(days=300)).isoformat(),
    }
    meter = {"instrument": "XL2-1", "issuer": "Laboratory of the town"}
    since = datetime.now(UTC) - timedelta(days=30)
    return [
        _toml(
            "noise_intersection",
            id="zhongshan",
            name="Zhongshan Road crossing",
            name_zh="中山路口",
            latitude=23.4801,
            longitude=120.4492,
        ),
        # JSON writes an inline table otherwise than TOML does.
        "[[noise_road]]\n"
        'intersection = "zhongshan"\nvalid_from = "2026-01-01"\nsign_distance_m = 120.0\n'
        'limits = [{ limit_db = 86.0 }]\nbasis = "Announcement 115-001"\n',
        "[[noise_rules]]\n"
        'valid_from = "2026-01-01"\npenalties = [{ over_db = 0.0, amount_twd = 3600 }]\n',
        _toml("noise_instrument", serial="XL2-1", maker="NTi", model="XL2"),
        *(
            _toml("noise_certificate", kind=kind, number=f"{kind}-1", **meter, **span)
            for kind in ("verification", "comparison", "calibration")
        ),
        _toml(
            "noise_placement",
            device=MICROPHONE,
            since=since.isoformat(),
            intersection="zhongshan",
            instrument="XL2-1",
        ),
    ]


def settle(file: Path, hook: str, environment: dict[str, str]) -> None:
    """As ``vigil-cloud seed`` does, without a process that loads everything for it."""
    file.write_text(_seed(hook), "utf-8")
    with mock.patch.dict(os.environ, environment), closing(build_services(load(None))) as services:
        bring_up(services.engine)
        seed.apply(services, seed.read(file))
