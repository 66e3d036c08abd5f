"""Every operation of the API by every role, by relatives, by a guardian and by nobody.

The table has a row for each operation of the OpenAPI document: a new route without a
stated right fails here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cases_office import Office, picture
from cloud_city import DEVICES, GATEWAY, NAME, NOON, PASSWORD, TAG, City, exceedance, sealed, visit
from vigil_cloud.alerts import shelving
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.app import openapi_document
from vigil_cloud.checkin import amulets, notice
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.rows import new_device
from vigil_cloud.devices.shelves import Wanted
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.ingest.dead_letters import WITHHELD
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.escalation import policies
from vigil_cloud.notify.escalation.policy import parse
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.smoke.models import Fire
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.types import isoformat_utc
from waterways import geojson

RELATIVE, GUARDIAN = "relative", "guardian"
"""Both hold the role family; the one has a consent, the other decides about consents."""
RESIDENT, CONTACT, LEFT = "resident", "contact", "left"
"""Of the role family, and of the home in which the smoke alarm stands, or no longer."""
THERE, ELSEWHERE = "inspector-east", "inspector-west"
"""Inspectors who are limited to the district in which the microphone and the probe stand, and to
another one."""
KEEPS_THERE, KEEPS_ELSEWHERE = "maintainer-east", "maintainer-west"
AT_HOME = frozenset({RESIDENT, CONTACT})
ALL = frozenset(
    {
        *Role,
        RELATIVE,
        GUARDIAN,
        RESIDENT,
        CONTACT,
        LEFT,
        THERE,
        ELSEWHERE,
        KEEPS_THERE,
        KEEPS_ELSEWHERE,
    }
)
STREET = frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR, THERE})
INSPECTS = frozenset({Role.INSPECTOR, THERE})
REVIEWS = frozenset({Role.REVIEWER})
PREPARES = INSPECTS | REVIEWS
HOME = frozenset({Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR, KEEPS_THERE})
OF_CITY = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
OPERATE = OF_CITY | {KEEPS_THERE}
LISTS_STREET, LISTS_GATEWAYS = STREET | {ELSEWHERE}, OPERATE | {KEEPS_ELSEWHERE}
"""Lists are answered to whoever holds the role; of another district they are empty."""
TOLD_OF_ONE_THING = {Role.IRRIGATION, Role.HOST, Role.REGISTRAR}
IN_PLACE = ALL - {ELSEWHERE, KEEPS_ELSEWHERE, *TOLD_OF_ONE_THING}
"""An irrigation association is told of its gates alone, a host of what hangs on the wall."""
ADMINISTER = frozenset({Role.ADMINISTRATOR})
LEADS = frozenset({Role.DISPATCHER, Role.ADMINISTRATOR})
PUSH = {
    "endpoint": "https://fcm.googleapis.com/fcm/send/nobody",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkN"
        "toIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
ENROL = frozenset({Role.REGISTRAR, Role.ADMINISTRATOR})
WITH_CONSENT, GUARD = frozenset({RELATIVE}), frozenset({GUARDIAN})
READS_NOISE = LISTS_GATEWAYS | PREPARES | {ELSEWHERE}
SOON = isoformat_utc(NOON + timedelta(hours=12))
ON_THE_WATER = frozenset({Role.INSPECTOR, Role.ADMINISTRATOR, THERE})
GATES = ON_THE_WATER | {Role.IRRIGATION}
VOLUNTEERS = frozenset({Role.VOLUNTEER})
AED_SITE = {"name": "City hall", "latitude": 23.48, "longitude": 120.44}
AMULET = {
    "code": "ZZZZZ-ZZZZZ",
    "notice": notice.VERSION,
    "language": "en",
    "capacity": "self",
    "agreed": True,
}
PATROL = dict.fromkeys(
    ("present", "indicator_ok", "pads_sealed", "cabinet_ok", "sign_visible"), True
)
LATER = isoformat_utc(NOON + timedelta(days=7))
POLICY = {
    "name": "hook",
    "fallback": {"after_s": 0, "channel": "page", "persons": ["role:police"]},
}
EVIDENCE = sealed({"plate.png": b"\x89PNG picture"})


@dataclass(frozen=True)
class Row:
    """Who passes. The address is filled in from what ``prepared`` makes."""

    operation: str
    who: frozenset[str]
    body: Any = None
    address: str = ""
    """Where the operation's own path does not say which thing: ``{alert_id}`` of which domain."""
    hidden: bool = False
    """Refused as if it were not there."""
    knows: frozenset[str] = frozenset()
    """Who may see the thing and not do this to it: refused, and told so."""

    @property
    def method(self) -> str:
        return self.operation.split()[0]

    @property
    def path(self) -> str:
        return self.operation.split()[1]


def on_alerts(action: str, body: Any) -> list[Row]:
    method = "GET" if body is None else "POST"
    of_domain = {
        "noise": STREET,
        "water": STREET,
        "smoke": HOME,
        "checkin": WITH_CONSENT,
        "irrigation": GATES,
    }
    at_home = AT_HOME
    if action in {"", "/acknowledge", "/answers"}:
        of_domain["smoke"], at_home = HOME | AT_HOME, frozenset()
    if action == "/service":
        of_domain = {domain: who & OPERATE for domain, who in of_domain.items()}
    return [
        Row(
            f"{method} /api/v1/alerts/{{alert_id}}{action}",
            who,
            body,
            f"/api/v1/alerts/{{{domain}}}{action}",
            hidden=True,
            knows=at_home if domain == "smoke" else frozenset(),
        )
        for domain, who in of_domain.items()
    ]


def on_shelves(action: str, body: Any) -> list[Row]:
    """Who keeps things running, and of what stands in the street its inspectors; whoever else
    sees the device is told that they may not."""
    may = {
        "alarm-1": OPERATE,
        "mic-1": OPERATE | INSPECTS,
        "station-1": OPERATE,
    }
    path = f"/api/v1/devices/{{device}}/shelves{action}"
    rows = []
    for device, who in may.items():
        address = path.replace("{device}", device).replace("{number}", f"{{{device}-shelf}}")
        rows.append(Row(f"POST {path}", who, body, address))
    return rows


SEES = {"noise-case": PREPARES | ADMINISTER, "water-case": INSPECTS | ADMINISTER}
POLICE = frozenset({Role.POLICE})
RELATIVES = frozenset({Role.FAMILY, RELATIVE, GUARDIAN, RESIDENT, CONTACT, LEFT})
NOW, SAID = {"version": 1}, {"version": 1, "text": "as agreed"}
DECISION = {"version": 1, "outcome": "dismissed", "reason": "no violation"}
"""Nobody's version: whoever may do it is told that the case has changed."""


def on_cases(action: str, body: Any, **who: frozenset[str]) -> list[Row]:
    """``noise`` and ``water``: who may, where that is not everybody who sees such a case. Whoever
    sees it and may not is told so; others are not told that it is there."""
    method = "GET" if body is None else "POST"
    rows = []
    for kind, sees in SEES.items():
        may = who.get(kind.removesuffix("-case"), sees)
        its = action.replace("{", f"{{{kind}-")
        address = f"/api/v1/cases/{{{kind}}}{its}"
        path = f"{method} /api/v1/cases/{{case_id}}{action}"
        rows.append(Row(path, may, body, address, hidden=may == sees))
    return rows


def on_search(operation: str, body: Any = None, **more: Any) -> Row:
    """Of a case about somebody who is missing: for its guardian; the police know that it is there
    and are asked for a reason."""
    address = operation.split()[1].replace("{case_id}", "{search-case}")
    return Row(operation, GUARD, body, address, hidden=True, knows=POLICE, **more)


ENDED = {"version": 999, "outcome": "home", "text": "at home"}
SEEN = {"kind": "seen", "at": "2026-03-01T03:00:00Z", "latitude": 23.4, "longitude": 120.4}
NOT_DRAWN = [
    Row(
        f"GET /api/v1/search/cases/{{case_id}}/{what}",
        frozenset(),
        address=f"/api/v1/search/cases/{{search-case}}/{what.replace('{form}', 'kml')}",
        hidden=True,
        knows=POLICE,
    )
    for what in ("plan", "export.{form}")
]
"""Of a map that the worker has not drawn; who sees one that it has is in ``search/test_likely``."""
TABLE = [
    Row("GET /api/v1/session", ALL),
    Row("GET /api/v1/screen", ALL),
    Row("GET /api/v1/stream", ALL),
    Row("GET /api/v1/alerts", ALL),
    Row("GET /api/v1/alerts/open", ALL),
    *on_alerts("", None),
    *on_alerts("/acknowledge", {}),
    *on_alerts("/answers", {"answer": "accepted"}),
    *on_alerts("/confirm", {}),
    *on_alerts("/shelve", {"until": LATER}),
    *on_alerts("/unshelve", {}),
    *on_alerts("/service", {"out_of_service": True}),
    Row("GET /api/v1/cases", ALL),
    Row("GET /api/v1/cases/kinds", ALL),
    Row("GET /api/v1/cases/counts", ALL),
    Row("POST /api/v1/cases", INSPECTS | {ELSEWHERE}, {"kind": "water-inspection"}),
    *on_cases("", None),
    *on_cases("/assignees", None),
    *on_cases("/take", NOW, water=INSPECTS),
    *on_cases("/hand-over", {"version": 1, "to": "reviewer"}),
    *on_cases("/decisions", DECISION, noise=REVIEWS, water=INSPECTS),
    *on_cases("/refer", SAID, noise=REVIEWS, water=INSPECTS),
    *on_cases("/close", {"version": 1, "resolution": "filed"}),
    *on_cases("/appeal", SAID),
    *on_cases("/reopen", SAID, noise=REVIEWS),
    *on_cases("/notes", {"text": "looked at"}),
    *on_cases("/deadlines", {"due": LATER, "text": "call back"}),
    *on_cases("/deadlines/{deadline}/meet", {}),
    *on_cases("/alerts", {"alert": "{noise}"}, noise=PREPARES, water=INSPECTS),
    *on_cases("/photographs", {}, noise=PREPARES, water=INSPECTS),
    *on_cases("/photographs/{photograph}", None),
    *on_cases("/dossier.json", None),
    *on_cases("/dossier.pdf", None),
    *on_cases("/dossier.zip", None),
    *on_cases("/access", {"reason": "to know"}, noise=frozenset(), water=frozenset()),
    Row("POST /api/v1/search/reports", GUARD, {"person_key": "p1"}),
    Row("GET /api/v1/search/open", RELATIVES),
    Row("GET /api/v1/search/statistics", ADMINISTER),
    on_search("GET /api/v1/search/cases/{case_id}/map"),
    *NOT_DRAWN,
    on_search("POST /api/v1/search/cases/{case_id}/entries", SEEN),
    on_search("POST /api/v1/search/cases/{case_id}/end", ENDED),
    on_search("POST /api/v1/search/cases/{case_id}/link"),
    on_search("GET /api/v1/search/cases/{case_id}/link.svg"),
    on_search("GET /api/v1/search/cases/{case_id}/looks"),
    on_search("DELETE /api/v1/search/cases/{case_id}/link"),
    on_search("GET /api/v1/cases/{case_id}"),
    on_search("POST /api/v1/cases/{case_id}/notes", {"text": "looked at"}),
    on_search("POST /api/v1/cases/{case_id}/decisions", DECISION | {"version": 999}),
    on_search("POST /api/v1/cases/{case_id}/close", {"version": 999, "resolution": "ended"}),
    Row("GET /api/v1/evidence/{sha256}.zip", STREET, hidden=True),
    Row("GET /api/v1/evidence/{sha256}.verification", STREET, hidden=True),
    Row("GET /api/v1/evidence/{sha256}/{file}", STREET, hidden=True),
    Row("GET /api/v1/people/mine", ALL),
    Row("GET /api/v1/people/{key}/footprints", WITH_CONSENT),
    Row("GET /api/v1/people/{key}/last-place", WITH_CONSENT),
    Row("GET /api/v1/people/{key}/audit", GUARD),
    Row("GET /api/v1/people/{key}/consents", GUARD),
    Row("POST /api/v1/people/{key}/consents", GUARD, {"account": "family", "expires": LATER}),
    Row("DELETE /api/v1/people/{key}/consents/{consent}", GUARD),
    Row("POST /api/v1/people/{key}/invitations", GUARD, {"note": "my brother"}),
    Row("GET /api/v1/people/{key}/invitations", GUARD),
    Row("GET /api/v1/invitations/{invitation}/code.svg", GUARD, hidden=True),
    Row("DELETE /api/v1/invitations/{invitation}", GUARD, hidden=True),
    Row("POST /api/v1/invitations", ENROL, {"reason": "came to the desk"}),
    Row("GET /api/v1/invitations", ENROL),
    # Nobody's: whose it is, is tested in tests/cloud/checkin/test_family.py.
    Row("POST /api/v1/join", frozenset(), {"token": "nobodys"}, hidden=True),
    Row("GET /api/v1/people/{key}/amulets", GUARD),
    Row("POST /api/v1/people/{key}/amulets", GUARD, AMULET),
    Row("GET /api/v1/people/{key}/rules", GUARD),
    Row("PUT /api/v1/people/{key}/rules", GUARD, {"rule": {"kind": "unseen", "hours": 12}}),
    Row("DELETE /api/v1/people/{key}/rules/{kind}", GUARD, None, "/api/v1/people/p1/rules/unseen"),
    Row("GET /api/v1/amulets", ENROL),
    Row("POST /api/v1/amulets", ENROL, {"tags": [f"ibeacon:{'e' * 32}:1:1"]}),
    Row("GET /api/v1/stations", LISTS_GATEWAYS | {Role.HOST}),
    *[
        Row(f"{method} /api/v1/stations/{{device}}/{what}", OPERATE, None, address)
        for method, what, address in (
            ("POST", "links", "/api/v1/stations/station-1/links"),
            ("GET", "{link}.svg", "/api/v1/stations/station-1/status.svg"),
        )
    ],
    Row(
        "DELETE /api/v1/stations/{device}/links",
        OPERATE,
        None,
        "/api/v1/stations/station-1/links",
    ),
    Row("GET /api/v1/noise/exceedances", LISTS_STREET),
    Row("GET /api/v1/noise/register", READS_NOISE),
    Row("GET /api/v1/noise/review", ALL),
    Row("POST /api/v1/noise/register", READS_NOISE - REVIEWS, {"complaints": []}),
    Row("GET /api/v1/noise/statistics", READS_NOISE),
    Row(
        "POST /api/v1/noise/cases/{case_id}/owner",
        PREPARES,
        {"reason": "to deliver the notice"},
        "/api/v1/noise/cases/{noise-case}/owner",
    ),
    Row("GET /api/v1/water/excursions", LISTS_STREET),
    Row("GET /api/v1/water/probes/{device}/hours", LISTS_STREET),
    Row("GET /api/v1/water/probes/{device}/detection", LISTS_STREET),
    Row("GET /api/v1/water/network", LISTS_STREET),
    Row("GET /api/v1/water/network/export", ON_THE_WATER | {ELSEWHERE}),
    Row("POST /api/v1/water/network/import", ON_THE_WATER | {ELSEWHERE}, {}),
    Row("GET /api/v1/water/rules", ON_THE_WATER | {ELSEWHERE}),
    Row(
        "PUT /api/v1/water/rules",
        ON_THE_WATER | {ELSEWHERE},
        {"join_minutes": 60, "reopen_minutes": 120, "neighbour_m": 5000, "longest_hours": 24},
    ),
    Row("GET /api/v1/water/incidents/{incident}", STREET),
    Row("GET /api/v1/water/incidents/{incident}/readings", STREET),
    Row("POST /api/v1/water/incidents/{incident}/gates/close", ON_THE_WATER, {"gate": "g1"}),
    Row(
        "POST /api/v1/water/cases/{case_id}/entries",
        ON_THE_WATER,
        {"kind": "visit", "at": "2026-03-01T03:00:00Z", "text": "There."},
        "/api/v1/water/cases/{water-case}/entries",
    ),
    Row("GET /api/v1/irrigation/orders", GATES | {ELSEWHERE}),
    Row("POST /api/v1/irrigation/orders/{order}/closed", frozenset({Role.IRRIGATION})),
    Row("POST /api/v1/water/incidents/{incident}/gates/open", ON_THE_WATER, {"gate": "g1"}),
    Row("GET /api/v1/smoke/conditions", HOME | {KEEPS_ELSEWHERE}),
    Row("GET /api/v1/smoke/fires", LEADS),
    Row("GET /api/v1/smoke/fires/mine", ALL),
    Row("GET /api/v1/smoke/fires/{fire}", LEADS),
    Row("POST /api/v1/smoke/fires/{fire}/safe", frozenset({RESIDENT}), {"code": "7391"}),
    Row("POST /api/v1/smoke/fires/{fire}/burns", LEADS | AT_HOME, {}),
    Row(
        "POST /api/v1/smoke/fires/{fire}/lead/{act}",
        LEADS,
        {},
        "/api/v1/smoke/fires/{fire}/lead/acknowledge",
    ),
    Row("POST /api/v1/smoke/fires/{fire}/cause", LEADS, {"cause": "test"}),
    Row("GET /api/v1/smoke/homes/{household}", ADMINISTER | {RESIDENT}),
    Row("PUT /api/v1/smoke/homes/{household}", ADMINISTER | {RESIDENT}, {"window_s": 45}),
    Row("PUT /api/v1/smoke/homes/{household}/code", frozenset({RESIDENT}), {"code": "7391"}),
    Row("DELETE /api/v1/smoke/homes/{household}/code", ADMINISTER),
    Row("GET /api/v1/aed/sites", ALL),
    Row("PUT /api/v1/aed/sites/{site}", LISTS_GATEWAYS, AED_SITE),
    Row("POST /api/v1/aed/sites/{site}/patrols", LISTS_GATEWAYS, PATROL),
    Row("GET /api/v1/aed/sites/{site}/patrols", LISTS_GATEWAYS),
    Row("PUT /api/v1/aed/sites/{site}/tag", LISTS_GATEWAYS, {"tag": None}),
    Row("POST /api/v1/aed/sites/import", LISTS_GATEWAYS, {}),
    Row("GET /api/v1/aed/sites/export", ALL),
    Row("DELETE /api/v1/aed/sites/{site}", LISTS_GATEWAYS),
    Row("GET /api/v1/aed/volunteer", VOLUNTEERS),
    Row("PUT /api/v1/aed/volunteer/consent", VOLUNTEERS, {"consent": True}),
    Row("PUT /api/v1/aed/volunteer/on-call", VOLUNTEERS, {"position": None}),
    Row("GET /api/v1/aed/calls/mine", VOLUNTEERS),
    # Nobody but who was called is told that there is such a call (tests/cloud/aed).
    Row(
        "POST /api/v1/aed/calls/{call}/answer",
        frozenset(),
        {"answer": "accepted"},
        "/api/v1/aed/calls/gw-east:call-0001/answer",
    ),
    Row("GET /api/v1/aed/calls", frozenset({Role.DISPATCHER, Role.ADMINISTRATOR})),
    Row("GET /api/v1/aed/volunteers", ADMINISTER),
    Row("PUT /api/v1/aed/volunteers/{username}/certificate", ADMINISTER, {"until": "2027-01-01"}),
    Row("GET /api/v1/devices", ALL),
    *[
        Row(
            f"GET /api/v1/devices/{{device}}{rest}",
            (HOME | (AT_HOME if not rest else {RESIDENT})) if device == "alarm-1" else IN_PLACE,
            None,
            f"/api/v1/devices/{device}{rest}",
            hidden=True,
        )
        for device in ("alarm-1", "mic-1", "station-1")
        for rest in ("", "/series", "/series/{parameter}")
    ],
    Row("POST /api/v1/devices/{device}/release", ADMINISTER),
    Row("GET /api/v1/gateways", LISTS_GATEWAYS),
    Row("GET /api/v1/gateways/{gateway}/downlinks", OPERATE),
    Row("POST /api/v1/gateways/{gateway}/commands", OPERATE, {"action": "report_health"}),
    Row("POST /api/v1/gateways/{gateway}/configurations", OPERATE, {"health_interval_s": 30}),
    Row("GET /api/v1/gateways/{gateway}/configuration", OPERATE),
    Row("GET /api/v1/devices/{device}/settings", OPERATE),
    Row(
        "PATCH /api/v1/devices/{device}/settings",
        OPERATE,
        {"revision": 1, "settings": {"name": "At the weir"}},
    ),
    Row("POST /api/v1/devices/{device}/commands", OPERATE, {"action": "restart_source"}),
    Row("GET /api/v1/dead-letters", LISTS_GATEWAYS),
    Row("GET /api/v1/dead-letters/{number}", OPERATE),
    Row("POST /api/v1/dead-letters/{number}/replay", OPERATE),
    Row("POST /api/v1/dead-letters/{number}/dismiss", OPERATE),
    Row("POST /api/v1/gateways/{gateway}/service", OPERATE, {"until": None}),
    Row("POST /api/v1/devices/{device}/service", OPERATE, {"until": None}),
    Row("GET /api/v1/shelves", ALL),
    *[
        Row(
            "GET /api/v1/devices/{device}/shelves",
            HOME | AT_HOME if device == "alarm-1" else IN_PLACE,
            None,
            f"/api/v1/devices/{device}/shelves",
            hidden=True,
        )
        for device in ("alarm-1", "mic-1")
    ],
    *on_shelves("", {"kind": "shelved", "reason": "painting", "until": SOON}),
    *on_shelves("/{number}/end", {}),
    Row("POST /api/v1/gateways", OF_CITY, {"gateway": "gw-west"}),
    Row("POST /api/v1/gateways/{gateway}/token", OPERATE),
    Row("DELETE /api/v1/devices/{device}", OPERATE),
    Row("DELETE /api/v1/gateways/{gateway}", OPERATE),
    Row("GET /api/v1/channels", ADMINISTER),
    Row("GET /api/v1/jobs", ADMINISTER),
    Row("DELETE /api/v1/channels/{name}", ADMINISTER),
    Row("GET /api/v1/escalation-policies", ADMINISTER),
    Row("PUT /api/v1/escalation-policies/{name}", ADMINISTER, POLICY),
    Row("DELETE /api/v1/escalation-policies/{name}", ADMINISTER),
    Row("POST /api/v1/escalation-policies/simulate", ADMINISTER, {"policy": POLICY}),
    Row("GET /api/v1/households/mine", ALL),
    Row("GET /api/v1/households", ADMINISTER),
    Row("GET /api/v1/households/{household}", ADMINISTER),
    Row("PUT /api/v1/households/{household}", ADMINISTER, {"name": "Chen", "address": "No. 7"}),
    Row(
        "POST /api/v1/households/{household}/members",
        ADMINISTER,
        {"account": "leaver", "relation": "contact"},
    ),
    Row("DELETE /api/v1/households/{household}/members/{number}", ADMINISTER),
    Row("PUT /api/v1/households/{household}/devices/{device}", ADMINISTER),
    Row("DELETE /api/v1/households/{household}/devices/{device}", ADMINISTER),
    Row("DELETE /api/v1/households/{household}", ADMINISTER),
    Row("GET /api/v1/districts", ALL),
    Row("PUT /api/v1/districts/{district}", ADMINISTER, {"name": "East", "name_zh": "東區"}),
    Row("DELETE /api/v1/districts/{district}", ADMINISTER),
    Row("PUT /api/v1/accounts/{username}/districts", ADMINISTER, {"districts": None}),
    Row("PUT /api/v1/devices/{device}/district", ADMINISTER, {"district": None}),
    Row("PUT /api/v1/gateways/{gateway}/district", ADMINISTER, {"district": None}),
    Row("GET /api/v1/accounts", ADMINISTER),
    Row("DELETE /api/v1/accounts/{username}", ADMINISTER),
    Row("GET /api/v1/people", ADMINISTER),
    Row("PUT /api/v1/people/{key}", ADMINISTER, {"name": "Wang"}),
    Row("POST /api/v1/people/{key}/key", ADMINISTER),
    Row("DELETE /api/v1/tags/{tag}", ADMINISTER),
    Row("PUT /api/v1/people/{key}/tags/{tag}", ADMINISTER),
    Row("POST /api/v1/people/{key}/amulets/{amulet}/end", GUARD, {"how": "lost"}),
    Row("DELETE /api/v1/people/{key}/guardians/{guardian}", ADMINISTER),
    Row("DELETE /api/v1/people/{key}", ADMINISTER),
    Row(
        "POST /api/v1/cases/{case_id}/access",
        POLICE,
        {"reason": "call 110-2231"},
        "/api/v1/cases/{search-case}/access",
    ),
    Row("DELETE /api/v1/session", ALL),
    Row("DELETE /api/v1/sessions", ALL),
    Row("GET /api/v1/enrolment/export", ENROL),
    Row("POST /api/v1/enrolment/import", ENROL),
    Row("GET /api/v1/push", ALL),
    Row("PUT /api/v1/push/subscription", ALL, PUSH),
    Row("DELETE /api/v1/push/subscription", ALL),
    Row("PUT /api/v1/session/password", ALL, {"current": PASSWORD, "new": "words of another day"}),
]
"""In an order in which no row takes away what a later one needs."""
OPEN = {
    "POST /api/v1/session": "the door itself",
    "GET /api/v1/purpose-notice": "said before anything is collected; public",
    "POST /api/v1/join/look": "an invitation's token (tests/cloud/checkin/test_family.py)",
    "POST /api/v1/join/account": "the same",
    "GET /api/v1/cases/{case_id}/evidence/{sha256}.html": (
        "as the dossier (tests/cloud/noise/test_passage_page.py)"
    ),
    "PUT /api/v1/gateways/{gateway}/evidence/{sha256}": "a gateway's token (tests/cloud/evidence)",
    "POST /api/v1/replies/hook/{channel}": "a web hook's signature (tests/cloud/notify)",
    "GET /healthz": "for supervisors; tells nothing but that the process answers",
    "GET /readyz": "for supervisors; names parts that are down",
    "GET /metrics": "for Prometheus; names lanes and reasons",
}
"""Operations without a session, and why."""


def operations() -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, item in openapi_document()["paths"].items()
        for method in item
    }


def test_every_operation_has_a_stated_right() -> None:
    stated = {row.operation for row in TABLE}

    assert operations() == stated | set(OPEN), "state who may use the new route"
    assert not stated & set(OPEN)


@pytest.fixture
def prepared(city: City) -> dict[str, str]:
    """One thing of each kind, and what stands for it in addresses."""
    for name in (RELATIVE, GUARDIAN):
        city.account(name, Role.FAMILY)
    city.guardian(GUARDIAN)
    consent = city.consent(RELATIVE)
    city.account("leaver", Role.VOLUNTEER)
    place(city)
    with writing(city.services.sessions) as session:
        put_channel(session, city.cipher, name="hook", url="json://127.0.0.1", role=Role.POLICE)
        policies.put(session, parse(POLICY), by="operator", now=city.time)
    city.one_of_each()
    gates = close_a_gate(city)
    sha256, body = EVIDENCE
    reference = EvidenceReference(sha256=sha256, size=len(body))
    city.send(exceedance(city.time, "exceedance-2", evidence=reference), "mic-1")
    stored = city.anonymous().put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}",
        content=body,
        headers={"Authorization": f"Bearer {city.token()}"},
    )
    assert stored.status_code == 201, stored.text
    refuse_a_check_in(city)
    told = city.client(GUARDIAN).post("/api/v1/search/reports", json={"person_key": "p1"})
    assert told.status_code == 201, told.text
    invited = city.client(GUARDIAN).post("/api/v1/people/p1/invitations", json={}).json()
    with city.services.sessions() as session:
        alerts = {row.domain: row.id for row in session.scalars(select(AlertRow))}
        (burning,) = session.scalars(select(Fire.id))
    return {
        **alerts,
        **gates,
        **put_aside(city),
        **open_cases(city),
        "invitation": invited["id"],
        "amulet": amulets.handle_of(city.cipher, TAG),
        "search-case": told.json()["case_id"],
        "fire": burning,
        "sha256": sha256,
        "file": "plate.png",
        "key": "p1",
        "consent": str(consent),
        "device": "mic-1",
        "gateway": GATEWAY,
        "parameter": "level",
        "number": "1",
        "tag": TAG,
        "name": "hook",
        "username": "leaver",
        "household": "h1",
        "site": "aed-hall",
        "district": "east",
        "guardian": GUARDIAN,
    }


def close_a_gate(city: City) -> dict[str, str]:
    """An incident, and an association that is told of it."""
    client = city.client("inspector")
    brought = client.post("/api/v1/water/network/import", content=geojson().encode())
    assert brought.is_success, brought.text
    (alert,) = city.alerts("inspector", domain="water")
    incident = alert["detail"]["incident"]
    asked = client.post(f"/api/v1/water/incidents/{incident}/gates/close", json={"gate": "g1"})
    assert asked.is_success, asked.text
    (order,) = client.get("/api/v1/irrigation/orders").json()["orders"]
    return {"incident": incident, "order": order["id"]}


def put_aside(city: City) -> dict[str, str]:
    """One shelf of each device that the table ends one of."""
    wanted = Wanted("shelved", "painting", city.time + timedelta(hours=1))
    with writing(city.services.sessions) as session:
        return {
            f"{device}-shelf": str(
                shelving.begin(session, device, wanted, by="operator", now=city.time).id
            )
            for device in ("alarm-1", "mic-1", "station-1")
        }


def open_cases(city: City) -> dict[str, str]:
    """One of each kind, with a deadline and a photograph."""
    office = Office(city)
    names: dict[str, str] = {}
    for kind, case in (("noise-case", office.noise()), ("water-case", office.water())):
        case = office.photograph("inspector", case["id"], picture())
        names |= {
            kind: case["id"],
            f"{kind}-deadline": str(case["deadlines"][0]["id"]),
            f"{kind}-photograph": case["photographs"][0]["id"],
        }
    return names


def place(city: City) -> None:
    """Everything stands in the east; the smoke alarm in a home there."""
    city.account(LEFT, Role.FAMILY)
    for name in AT_HOME:
        city.account(name, Role.FAMILY)
    limited = {THERE: "east", ELSEWHERE: "west", KEEPS_THERE: "east", KEEPS_ELSEWHERE: "west"}
    for name in limited:
        city.account(name, Role.INSPECTOR if name.startswith("inspector") else Role.MAINTAINER)
    by, now = "operator", city.time
    with writing(city.services.sessions) as session:
        for district in ("east", "west"):
            districts.put(session, district, district, district, by=by, now=now)
        for name, district in limited.items():
            districts.limit(session, account_named(session, name), [district], by=by, now=now)
        for device in DEVICES:
            districts.place(session, "device", device, "east", by=by, now=now)
        districts.place(session, "gateway", GATEWAY, "east", by=by, now=now)
        home = households.Described("Chen", "7 Zhongshan Road", "east")
        households.put(session, city.cipher, "h1", home, by=by, now=now)
        households.give_device(session, "h1", "alarm-1", by=by, now=now)
        for name in (RESIDENT, CONTACT, LEFT):
            number = households.add_member(
                session,
                "h1",
                account=account_named(session, name),
                relation=Relation(name) if name != LEFT else Relation.RESIDENT,
                by=by,
                now=now,
            )
        households.remove_member(session, "h1", number, by=by, now=now)


def refuse_a_check_in(city: City) -> None:
    payload = visit(city.time).model_dump_json().encode()
    with writing(city.services.sessions) as session:
        session.add(
            DeadLetter(
                gateway=GATEWAY,
                topic=f"vigil/v1/{GATEWAY}/event",
                reason="stale",
                detail=f"the visit of {TAG} lies too far back",
                payload=payload,
                size=len(payload),
                digest="0" * 64,
                first_received=city.time,
                last_received=city.time,
            )
        )


def ask(client: httpx.Client, row: Row, names: dict[str, str], **more: Any) -> tuple[int, str]:
    address = (row.address or row.path).format(**names)
    body = row.body
    if body is not None and row.path.endswith("/alerts"):
        body = {key: text.format(**names) for key, text in row.body.items()}
    with client.stream(row.method, address, json=body, **more) as answer:
        endless = answer.headers["content-type"].startswith("text/event-stream")
        text = "" if endless else answer.read().decode(errors="replace")
        return answer.status_code, text


def named(row: Row) -> str:
    return f"{row.method} {row.address or row.path}"


def test_only_those_pass_who_have_the_right(city: City, prepared: dict[str, str]) -> None:
    for row in TABLE:
        passed = {who for who in sorted(ALL) if passes(city, prepared, row, who)}

        assert passed == row.who, named(row)


def passes(city: City, prepared: dict[str, str], row: Row, who: str) -> bool:
    status, text = ask(city.client(who), row, prepared)
    assert status < 500, (named(row), who, text)
    if row.method != "GET" and "/session" in row.path:
        city.sign_in_anew(who)
    if row.operation.startswith("DELETE /api/v1/devices"):
        with writing(city.services.sessions) as session:
            device = new_device("mic-1", GATEWAY, "noise", city.time)
            insert_missing(session, Device, [device])
    if who not in {RELATIVE, GUARDIAN}:
        assert NAME not in text, f"{who} is told a name by {named(row)}"
        assert TAG not in text, f"{who} is told a tag by {named(row)}"
    if status not in {401, 403, 404}:
        return True
    problem = json.loads(text)
    assert problem["status"] == status
    if row.hidden and not row.path.endswith("/service"):
        expected = 403 if who in row.knows else 404
        assert status == expected, f"{named(row)} tells {who} that it is there"
    return False


def test_nobody_passes_without_a_session_nor_changes_anything_without_its_token(
    city: City, prepared: dict[str, str]
) -> None:
    for row in TABLE:
        status, text = ask(city.anonymous(), row, prepared)
        assert (status, json.loads(text)["code"]) == (401, "not-signed-in"), named(row)

        for token in ("", "something else") if row.method != "GET" else ():
            client, wrong = city.client(min(row.who or ALL)), {"X-CSRF-Token": token}
            status, text = ask(client, row, prepared, headers=wrong)
            assert (status, json.loads(text)["code"]) == (403, "wrong-csrf-token"), named(row)


def test_a_refused_check_in_is_listed_without_what_it_tells(
    city: City, prepared: dict[str, str]
) -> None:
    assert prepared
    (letter,) = city.client(Role.MAINTAINER).get("/api/v1/dead-letters").json()["dead_letters"]

    assert (letter["reason"], letter["payload"], letter["detail"]) == ("stale", WITHHELD, WITHHELD)
