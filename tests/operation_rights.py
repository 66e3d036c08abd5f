"""Who may ask for each operation of the API: a row for each, a new route needs one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloud_city import GATEWAY, PASSWORD
from operation_people import (
    ADMINISTER,
    AED_SITE,
    ALL,
    AMULET,
    AT_HOME,
    COHORT,
    CONTACT,
    ELSEWHERE,
    ENROL,
    GATES,
    GUARD,
    GUARDIAN,
    HOME,
    IN_PLACE,
    INSPECTS,
    KEEPS_ELSEWHERE,
    LATER,
    LEADS,
    LEFT,
    LISTS_GATEWAYS,
    LISTS_STREET,
    OF_CITY,
    ON_THE_WATER,
    OPERATE,
    PATROL,
    POLICY,
    PREPARES,
    PUSH,
    READS_NOISE,
    RELATIVE,
    RESIDENT,
    REVIEWS,
    SOON,
    STREET,
    VOLUNTEERS,
    WITH_CONSENT,
)
from vigil_cloud.identity.roles import Role


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
NEW_DISTRICT = {"key": "north", "new": True, "values": {"name": "North", "name_zh": "北區"}}
HISTORY = "/api/v1/registers/{register}/history?key=north"
LATER_REVISION = 1_000_000
"""Nobody has looked at it: whoever may change it is told that it has moved."""
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


THING = {"kind": "bicycle", "name": "the red one", "code": "ZZZZZ-ZZZZZ"}
PARKED = {"latitude": 23.48, "longitude": 120.44, "radius_m": 300.0}
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
REFERRAL = {
    "particulars": {"name": "Wang", "address": "8 Minzu Road"},
    "risks": ["low-income"],
    "agreed": True,
}
TABLE = [
    Row("GET /api/v1/session", ALL),
    Row("GET /api/v1/screen", ALL),
    Row("GET /api/v1/maps/{sha256}.pmtiles", ALL, address="/api/v1/maps/{map}.pmtiles"),
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
    Row(
        "GET /api/v1/alerts/{alert_id}/thumbnail",
        STREET,
        address="/api/v1/alerts/{pictured}/thumbnail",
        hidden=True,
    ),
    Row("GET /api/v1/people/mine", ALL),
    Row("GET /api/v1/people/{key}/footprints", WITH_CONSENT),
    Row("GET /api/v1/people/{key}/last-place", WITH_CONSENT),
    Row("GET /api/v1/people/{key}/audit", GUARD),
    Row("GET /api/v1/people/{key}/consents", GUARD),
    Row("POST /api/v1/people/{key}/consents", GUARD, {"account": "family", "expires": LATER}),
    Row("PUT /api/v1/people/{key}/consents/{consent}/scopes", GUARD, {"scopes": ["last_place"]}),
    Row("POST /api/v1/people/{key}/consents/{consent}/renewal", GUARD),
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
    Row("GET /api/v1/people/{key}/things", GUARD),
    Row("POST /api/v1/people/{key}/things", GUARD, THING),
    Row("GET /api/v1/people/{key}/things/{thing}/signs", GUARD),
    Row("PUT /api/v1/people/{key}/things/{thing}/guard", GUARD, PARKED),
    Row("DELETE /api/v1/people/{key}/things/{thing}/guard", GUARD),
    Row("POST /api/v1/things/{thing}/theft", GUARD, {}, hidden=True),
    Row("DELETE /api/v1/people/{key}/things/{thing}", GUARD),
    Row(
        "GET /api/v1/things/cases/{case_id}",
        GUARD,
        None,
        "/api/v1/things/cases/{theft-case}",
        hidden=True,
        knows=POLICE,
    ),
    Row("GET /api/v1/people/{key}/rules", GUARD),
    Row("PUT /api/v1/people/{key}/rules", GUARD, {"rule": {"kind": "unseen", "hours": 12}}),
    Row("DELETE /api/v1/people/{key}/rules/{kind}", GUARD, None, "/api/v1/people/p1/rules/unseen"),
    Row("GET /api/v1/amulets", ENROL),
    Row("POST /api/v1/amulets/reprint", ENROL),
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
    Row("GET /api/v1/noise/complaints", READS_NOISE),
    Row("GET /api/v1/noise/register", READS_NOISE),
    Row(
        "GET /api/v1/noise/register/versions",
        READS_NOISE,
        address="/api/v1/noise/register/versions?kind=instrument&key=XL2-1",
    ),
    Row("GET /api/v1/noise/review", ALL),
    Row("POST /api/v1/noise/register", READS_NOISE - REVIEWS, {"complaints": []}),
    Row(
        "POST /api/v1/noise/overrulings",
        PREPARES,
        {"exceedance": f"{GATEWAY}:exceedance-2", "reason": "a motorcycle without a silencer"},
    ),
    Row("GET /api/v1/noise/statistics", READS_NOISE),
    Row("GET /api/v1/noise/statistics/export", READS_NOISE),
    Row("GET /api/v1/noise/statistics/sites", READS_NOISE),
    Row(
        "POST /api/v1/noise/cases/{case_id}/owner",
        PREPARES,
        {"reason": "to deliver the notice"},
        "/api/v1/noise/cases/{noise-case}/owner",
    ),
    Row("GET /api/v1/water/excursions", LISTS_STREET),
    Row("GET /api/v1/water/probes/{device}/hours", LISTS_STREET),
    Row("GET /api/v1/water/probes/{device}/detection", LISTS_STREET),
    Row(
        "GET /api/v1/water/probes/{device}/spans",
        LISTS_STREET,
        None,
        "/api/v1/water/probes/{device}/spans?start=2026-03-01T00:00:00Z&stop=2026-03-02T00:00:00Z",
    ),
    Row("POST /api/v1/water/dry-run", ON_THE_WATER | {ELSEWHERE}, {}),
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
    Row("GET /api/v1/smoke/homes/{household}/alarms", ADMINISTER | {RESIDENT}),
    Row(
        "POST /api/v1/smoke/homes/{household}/alarms/{device}/{act}",
        frozenset({RESIDENT}),
        {},
        "/api/v1/smoke/homes/{household}/alarms/alarm-1/test",
    ),
    Row("GET /api/v1/smoke/programme/homes", HOME | {KEEPS_ELSEWHERE}),
    Row("POST /api/v1/smoke/programme/homes", LEADS | {Role.REGISTRAR}, REFERRAL),
    Row("GET /api/v1/smoke/programme/homes/mine", RELATIVES),
    Row(
        "POST /api/v1/smoke/programme/homes/mine",
        frozenset({RESIDENT}),
        {"household": "h1", "risks": ["elder-alone"], "agreed": True},
    ),
    Row(
        "POST /api/v1/smoke/programme/homes/mine/eligibility",
        frozenset({RESIDENT}),
        {"household": "h1", "risks": ["elder-alone"]},
    ),
    Row("POST /api/v1/smoke/programme/homes/{home}/withdrawal", frozenset({RESIDENT}), {}),
    Row("GET /api/v1/smoke/programme/homes/{home}", HOME),
    Row("POST /api/v1/smoke/programme/homes/{home}/decision", LEADS, {}),
    Row("POST /api/v1/smoke/programme/homes/{home}/appointment", HOME, {"at": None}),
    Row(
        "POST /api/v1/smoke/programme/homes/{home}/installation",
        OPERATE,
        {"alarms": [{"serial": "S-001", "room": "bedroom", "expires": "2036-01-01"}]},
    ),
    Row(
        "POST /api/v1/smoke/programme/homes/{home}/signature",
        frozenset({RESIDENT}),
        {"party": "household", "round": 1, "digest": "0" * 64},
    ),
    Row("POST /api/v1/smoke/programme/homes/{home}/sent-back", HOME, {"reason": "silent"}),
    Row("POST /api/v1/smoke/programme/homes/{home}/visit", OPERATE, {}),
    Row("POST /api/v1/smoke/programme/homes/{home}/renewal", LEADS, {}),
    Row("POST /api/v1/smoke/programme/homes/{home}/closing", LEADS, {"reason": "not-wanted"}),
    Row(
        "POST /api/v1/smoke/programme/photos",
        LISTS_GATEWAYS,
        {},
        "/api/v1/smoke/programme/photos?home={home}",
    ),
    Row("GET /api/v1/smoke/programme/homes/{home}/photos/{photo}", HOME),
    Row("GET /api/v1/smoke/programme/statistics", HOME | {KEEPS_ELSEWHERE}),
    Row("GET /api/v1/smoke/programme/export", LEADS),
    Row("POST /api/v1/smoke/programme/import", ADMINISTER, {}),
    Row("GET /api/v1/aed/sites", ALL),
    Row("PUT /api/v1/aed/sites/{site}", LISTS_GATEWAYS, AED_SITE),
    Row("POST /api/v1/aed/sites/{site}/patrols", LISTS_GATEWAYS, PATROL),
    Row("GET /api/v1/aed/sites/{site}/patrols", LISTS_GATEWAYS),
    Row("PUT /api/v1/aed/sites/{site}/tag", LISTS_GATEWAYS, {"tag": None}),
    Row(
        "POST /api/v1/aed/patrol-photos",
        LISTS_GATEWAYS,
        {},
        "/api/v1/aed/patrol-photos?site={site}",
    ),
    Row(
        "GET /api/v1/aed/sites/{site}/photos/{photo}",
        LISTS_GATEWAYS,
        address="/api/v1/aed/sites/{site}/photos/{aed-photo}",
    ),
    Row("POST /api/v1/aed/sites/import", LISTS_GATEWAYS, {}),
    Row("GET /api/v1/aed/sites/export", ALL),
    Row("DELETE /api/v1/aed/sites/{site}", LISTS_GATEWAYS),
    Row("GET /api/v1/aed/volunteer", VOLUNTEERS),
    Row("PUT /api/v1/aed/volunteer/consent", VOLUNTEERS, {"consent": True}),
    Row("PUT /api/v1/aed/volunteer/on-call", VOLUNTEERS, {"position": None}),
    Row("PUT /api/v1/aed/volunteer/fixed-place", VOLUNTEERS, {"place": None}),
    Row("PUT /api/v1/aed/volunteer/hours", VOLUNTEERS, {"hours": ""}),
    Row("GET /api/v1/aed/calls/mine", VOLUNTEERS),
    # Nobody but who was called is told that there is such a call (tests/cloud/aed).
    Row(
        "POST /api/v1/aed/calls/{call}/answer",
        frozenset(),
        {"answer": "accepted"},
        "/api/v1/aed/calls/gw-east:call-0001/answer",
    ),
    Row(
        "PUT /api/v1/aed/calls/{call}/debrief",
        frozenset(),
        {"did": ["cpr"], "feeling": "well"},
        "/api/v1/aed/calls/gw-east:call-0001/debrief",
    ),
    Row("GET /api/v1/aed/calls", frozenset({Role.DISPATCHER, Role.ADMINISTRATOR})),
    Row("GET /api/v1/aed/volunteers", ADMINISTER),
    Row("PUT /api/v1/aed/volunteers/{username}/certificate", ADMINISTER, {"until": "2027-01-01"}),
    Row("GET /api/v1/aed/cohorts", ADMINISTER),
    Row("PUT /api/v1/aed/cohorts/{cohort}", ADMINISTER, COHORT, "/api/v1/aed/cohorts/class-a"),
    Row(
        "PUT /api/v1/aed/cohorts/{cohort}/certificate",
        ADMINISTER,
        {"until": "2027-01-01"},
        "/api/v1/aed/cohorts/class-a/certificate",
    ),
    Row("PUT /api/v1/aed/volunteers/{username}/cohort", ADMINISTER, {"cohort": "class-a"}),
    Row(
        "DELETE /api/v1/aed/cohorts/{cohort}",
        ADMINISTER,
        address="/api/v1/aed/cohorts/class-a",
    ),
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
    Row("GET /api/v1/gateways/{gateway}/search", OPERATE),
    Row("GET /api/v1/gateways/{gateway}/looks/{command}", OPERATE),
    Row("GET /api/v1/gateways/{gateway}/configurations", OPERATE),
    Row(
        "POST /api/v1/gateways/{gateway}/devices",
        OPERATE,
        {"revision": LATER_REVISION, "found": "0" * 16, "device": "found-1"},
    ),
    Row(
        "POST /api/v1/gateways/{gateway}/devices/{device}/removal",
        OPERATE,
        {"revision": LATER_REVISION},
    ),
    Row(
        "POST /api/v1/gateways/{gateway}/configurations/{revision}/restoration",
        OPERATE,
        {"revision": LATER_REVISION},
    ),
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
    Row("POST /api/v1/gateways/{gateway}/enrolment", ADMINISTER, {"replaces": True}),
    Row("DELETE /api/v1/gateways/{gateway}/enrolment", ADMINISTER),
    Row("GET /api/v1/gateways/{gateway}/certificates", OPERATE),
    Row("DELETE /api/v1/gateways/{gateway}/certificates/{serial}", OPERATE),
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
    Row("GET /api/v1/enrolment/not-called", ENROL),
    Row("POST /api/v1/enrolment/import", ENROL),
    Row("GET /api/v1/registers", ADMINISTER),
    Row("GET /api/v1/registers/{register}", ADMINISTER),
    Row("PUT /api/v1/registers/{register}/entry", ADMINISTER, NEW_DISTRICT),
    Row("GET /api/v1/registers/{register}/history", ADMINISTER, None, HISTORY),
    Row("GET /api/v1/registers/{register}/export", ADMINISTER),
    Row("POST /api/v1/registers/{register}/import", ADMINISTER),
    Row("POST /api/v1/registers/{register}/retirement", ADMINISTER, {"key": "north"}),
    Row("GET /api/v1/push", ALL),
    Row("PUT /api/v1/push/subscription", ALL, PUSH),
    Row("DELETE /api/v1/push/subscription", ALL),
    Row("PUT /api/v1/session/profile", ALL, {"display_name": "Chen", "language": "en"}),
    Row("PUT /api/v1/session/password", ALL, {"current": PASSWORD, "new": "words of another day"}),
]
"""In an order in which no row takes away what a later one needs."""
OPEN = {
    "POST /api/v1/session": "the door itself",
    "GET /api/v1/setup": "whether there is no account yet (tests/cloud/identity/test_first_start)",
    "POST /api/v1/setup": "the setup code, while there is no account (the same)",
    "GET /api/v1/purpose-notice": "said before anything is collected; public",
    "POST /api/v1/join/look": "an invitation's token (tests/cloud/checkin/test_family.py)",
    "POST /api/v1/join/account": "the same",
    "POST /api/v1/phone-reports": "any phone, nobody's (tests/cloud/checkin/test_phones.py)",
    "GET /api/v1/cases/{case_id}/evidence/{sha256}.html": (
        "as the dossier (tests/cloud/noise/test_passage_page.py)"
    ),
    "PUT /api/v1/gateways/{gateway}/evidence/{sha256}": "a gateway's token (tests/cloud/evidence)",
    "POST /api/v1/gateway-enrolment/offer": "a one-time code (tests/cloud/enrolment)",
    "POST /api/v1/gateway-enrolment": "the same",
    "POST /api/v1/gateways/{gateway}/certificate": "a gateway's token and key (the same)",
    "GET /api/v1/gateways.crl": "brokers fetch it; names serial numbers of certificates",
    "POST /api/v1/replies/hook/{channel}": "a web hook's signature (tests/cloud/notify)",
    "GET /healthz": "for supervisors; tells nothing but that the process answers",
    "GET /readyz": "for supervisors; names parts that are down",
    "GET /metrics": "for Prometheus; names lanes and reasons",
}
"""Operations without a session, and why."""
UNLISTED = {
    "/r/{token}": "a message's own link (tests/cloud/notify/test_reply_links.py)",
    "/r/{token}/{answer}": "the same",
    "/p/checkin/{token}": "a host's link (tests/cloud/checkin/test_hosts.py)",
    "/p/checkin/address/{token}": "the same",
    "/p/search/{token}": "a search's link for tips (tests/cloud/search/test_tips.py)",
    "/openapi.json": "the description itself, of no city",
    "/assets": "built files, of no city",
    "/atlas": "the same",
    "/{path:path}": "the start page, which asks the operations above",
}
"""What is answered beside the description, and on what right."""
