"""What the API says of fires and of what homes say for their case."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.smoke.decision import Cause, End, Phase, Reason
from vigil_cloud.smoke.grade import Ground
from vigil_cloud.smoke.homes import Contact, NeedsHelp, Particulars
from vigil_schemas.types import UtcDatetime


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


Code = Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\x00]*$")]


class HomeCode(_Body):
    """The home's code."""

    code: Code


class NewCode(_Body):
    """Another code. `current`: the one that it replaces, where there is one."""

    code: Code
    current: Code = ""


class HomeSafetyBody(_Body):
    """What a home says for the case of a fire."""

    window_s: Annotated[int, Field(ge=30, le=60)] = 60
    """So long the home is asked before everybody and 119 are called."""
    particulars: Particulars = Field(default_factory=Particulars)


class HomeSafetyEntry(_Told):
    """As the home itself sees it."""

    household: str
    window_s: int
    particulars: Particulars
    code_set: UtcDatetime | None
    """When; null: none, and nobody can take an alarm back."""
    locked_until: UtcDatetime | None


class AskedEntry(_Told):
    """What an alarm was asked last."""

    act: Literal["test", "hush"]
    at: UtcDatetime
    answered: UtcDatetime | None
    accepted: bool | None
    code: str | None
    """Why it was not done."""
    expires: UtcDatetime | None


class HomeAlarmEntry(_Told):
    """One alarm of a home, as those who live there see it."""

    device: str
    name: str
    name_zh: str
    state: str
    code: str | None
    since: UtcDatetime | None
    watched: bool
    """Whether a gateway reads it. Where none does it sounds at home and calls nobody."""
    battery_percent: float | None
    tested: UtcDatetime | None
    """When it was tested last."""
    conditions: list[str]
    """That last now."""
    acts: list[Literal["test", "hush"]]
    """What it can be asked from here."""
    asked: AskedEntry | None


class CalledEntry(_Told):
    """How many of a relation are called to a fire, in the order in which they are."""

    relation: Literal["resident", "contact", "guardian"]
    people: int
    reached: int
    """Those whom a channel tells at once."""


class HomeAlarms(_Told):
    """The alarms of a home, and whom they call."""

    alarms: list[HomeAlarmEntry]
    called: list[CalledEntry]
    window_s: int
    """So long the home is asked before everybody and 119 are called."""


class FireAlarmEntry(_Told):
    """One alarm of a fire."""

    device: str
    name: str
    name_zh: str
    condition: str
    began: UtcDatetime
    over: UtcDatetime | None
    signs: list[str]


class FireStepEntry(_Told):
    """One line of what happened: a code, and behind a colon what it is about."""

    at: UtcDatetime
    what: str
    who: str | None


class EmergencyCallEntry(_Told):
    """One message to 119."""

    kind: Literal["alert", "cancel"]
    asked: UtcDatetime
    tries: int
    answered: UtcDatetime | None
    again: UtcDatetime | None
    """When it is tried next; null: never."""
    withdrawn: UtcDatetime | None
    error: str
    """What came instead of an answer, the last time."""


class FireEntry(_Told):
    """Where one fire stands, for everybody whom it concerns."""

    fire: str
    alert: str
    phase: Phase
    reason: Reason | None
    confirmed: bool
    """Two devices of the home agree."""
    probability: float
    """That it burns, from 0 to 1: a grade of the signs, by which nobody is called later."""
    grounds: list[Ground]
    """What speaks for it and against it."""
    place: str
    place_zh: str
    opened: UtcDatetime
    asked: UtcDatetime
    """The home was asked last then."""
    window_ends: UtcDatetime
    called: UtcDatetime | None
    acknowledged: UtcDatetime | None
    arrived: UtcDatetime | None
    burns: UtcDatetime | None
    """Somebody there said then that it burns."""
    ended_by: End | None
    cause: Cause | None
    household: str | None
    needs_code: bool
    """The home has a code that takes this back."""
    alarms: list[FireAlarmEntry]


class FireList(_Told):
    """What still waits for somebody first, then the newest."""

    fires: list[FireEntry]


class NeighbourEntry(_Told):
    """An alarm of another home close by."""

    device: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    away_m: int
    """From the fire, m."""
    state: str
    burns: list[str]
    """Conditions of a fire that last there."""


class HydrantEntry(_Told):
    """Water for fire engines close by."""

    id: str
    kind: Literal[
        "pillar",
        "underground",
        "wall",
        "pipe",
        "hydrant",
        "water_tank",
        "suction_point",
        "fire_water_pond",
    ]
    latitude: float
    longitude: float
    away_m: int
    """From the fire as the crow flies, m."""


class FireCard(FireEntry):
    """What whoever leads has to know. `address` and the rest are empty once it is closed."""

    case: str | None
    leader: str | None
    home_name: str
    address: str
    floor: str
    needs_help: list[NeedsHelp]
    residents: list[str]
    contacts: list[Contact]
    keys: str
    latitude: float | None
    longitude: float | None
    station_m: int | None
    """From the fire station as the crow flies, metres; null where one of the two is not known."""
    neighbours: list[NeighbourEntry]
    """Alarms of other homes within 150 m, those that ring first; empty once it is closed."""
    hydrants: list[HydrantEntry]
    """The nearest three within 300 m; empty once it is closed."""
    calls: list[EmergencyCallEntry]
    steps: list[FireStepEntry]


class CauseBody(_Body):
    """What it was."""

    cause: Cause
    note: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")] = ""
