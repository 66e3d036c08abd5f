"""Who asks for operations in `operation_rights`, and bodies that they send."""

from __future__ import annotations

from datetime import timedelta

from cases_office import picture
from cloud_city import NOON, sealed
from vigil_cloud.checkin import notice
from vigil_cloud.identity.roles import Role
from vigil_schemas.types import isoformat_utc

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
COHORT = {"name": "Class 3A", "kind": "pupils", "hours": "Mo-Fr 07:30-17:00"}
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
EVIDENCE = sealed({"plate.png": b"\x89PNG picture", "frame.jpg": picture()})
