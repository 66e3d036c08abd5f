"""Who is called of an alert, when and how: a policy as data, checked whole before it is used.

In TOML, as ``vigil-cloud alerts policy add`` and ``alerts simulate`` read it::

    name = "fire at home"
    remind_s = 300                        # the fallback, until somebody accepts; else the settings'
    quiet_hours = { from = "22:00", to = "07:00" }
    match = { domain = "smoke", severity = "critical" }

    [[rota]]
    name = "duty"
    persons = ["li", "wang"]
    start = 2026-01-05T08:00:00+08:00     # of li's first turn
    shift_s = 86400

    [[step]]
    after_s = 0                           # seconds from the alert
    channel = "sms"
    persons = ["household:*"]

    [[step]]
    after_s = 60
    channel = "call"
    rota = "duty"

    [fallback]
    after_s = 180
    channel = "voice"
    persons = ["role:dispatcher"]

Times of day are those of Taipei. A person is a user name, or one of ``SELECTORS``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from vigil_cloud.api_errors import ApiError
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.mistakes import Mistake, mistakes_of

ChannelKind = Literal["page", "push", "line", "sms", "voice", "call", "email", "webhook"]
"""``page``: shown to the account in the pages, and sent nowhere."""
SELECTORS: Final = ("role:", "district:", "household:", "channel:")
"""``role:dispatcher``: every account with that role, and the role's own channels;
``district:inspector``: the same, of those who are assigned to the alert's district;
``household:resident`` (``contact``, ``guardian``, ``*``): who belongs to the home it happened in;
``channel:NAME``: one channel by its name. Rights decide in the end: whoever may not see the alert
is not called."""
LONGEST_S: Final = 30 * 86400
MOST_STEPS: Final = 50
MOST_PERSONS: Final = 500
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")

Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f/]+$")]
Person = Annotated[
    str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\s\x00-\x1f][^\x00-\x1f]*$")
]


class BadPolicy(ApiError):
    """A policy that could leave somebody uncalled, or that says something we do not know."""

    code: ClassVar[str] = "bad-policy"
    remedy: ClassVar[str] = "Correct what the message names; nothing was changed."
    status: ClassVar[int] = 422

    def __init__(self, mistakes: Sequence[Mistake], file: str = "") -> None:
        """``file``: which it stands in, where it was read from one."""
        told = "; ".join(one.text for one in mistakes)
        super().__init__(f"{file}: {told}" if file else told)
        self.places = [one.place for one in mistakes]
        self.kinds = [one.kind for one in mistakes]
        self.values = [one.value for one in mistakes]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


def _tuple(value: object) -> object:
    """Lists are what JSON and TOML have."""
    return tuple(value) if isinstance(value, list) else value


def _time_of_day(value: object) -> object:
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and _CLOCK.fullmatch(value):
        return time.fromisoformat(value)
    raise PydanticCustomError("time_of_day", "a time of day is wanted, such as 22:00")


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


def _moment(value: object) -> object:
    """What is written without a zone is meant as in Taipei."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        with suppress(OverflowError):  # in UTC it lies before year 1 or after year 9999
            return (value if value.tzinfo else value.replace(tzinfo=CITY_ZONE)).astimezone(UTC)
    text = "a date and time is wanted, such as 2026-01-05T08:00:00+08:00"
    raise PydanticCustomError("moment", text)


class QuietHours(_Part):
    """Nobody is called in them of what is not critical: it is put off until they end."""

    model_config = ConfigDict(
        validate_by_alias=True, validate_by_name=True, serialize_by_alias=True
    )

    start: Annotated[TimeOfDay, Field(alias="from")]
    end: Annotated[TimeOfDay, Field(alias="to")]

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.start == self.end:
            raise PydanticCustomError("same_time", "they begin and end at the same time")
        return self

    def awake(self, moment: datetime) -> datetime:
        """``moment``, or the end of the quiet hours that it lies in. Never decreasing."""
        local = moment.astimezone(CITY_ZONE)
        clock = local.timetz().replace(tzinfo=None)
        over_midnight = self.start > self.end
        late = over_midnight and clock >= self.start
        if late or (clock < self.end and (over_midnight or clock >= self.start)):
            ends = datetime.combine(local.date(), self.end, CITY_ZONE) + timedelta(days=int(late))
            return ends.astimezone(UTC)
        return moment


def _quiet_hours(value: object) -> object:
    """Also as one string, ``22:00-07:00``, or as a list of two."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split("-")]
    if isinstance(value, list):
        if len(value) != 2:
            raise PydanticCustomError("time_of_day", "write them as 22:00-07:00")
        return {"from": value[0], "to": value[1]}
    return value


class Rota(_Part):
    """Who is on duty, in turns."""

    persons: Annotated[
        tuple[Person, ...], BeforeValidator(_tuple), Field(min_length=1, max_length=MOST_PERSONS)
    ]
    start: Annotated[datetime, BeforeValidator(_moment)] = datetime(2026, 1, 1, tzinfo=UTC)
    """When a turn of the first person begins; by default at 08:00 in Taipei."""
    shift_s: Annotated[float, Field(strict=True, ge=60, le=LONGEST_S, allow_inf_nan=False)] = 86400

    def on_duty(self, moment: datetime) -> str:
        """Whoever has the turn at that moment."""
        turn = (moment - self.start) // timedelta(seconds=self.shift_s)
        return self.persons[turn % len(self.persons)]


def _rota(value: object) -> object:
    """A list of persons stands for daily turns."""
    return {"persons": value} if isinstance(value, list) else value


AnyRota = Annotated[Rota, BeforeValidator(_rota)]


def _rotas(value: object) -> object:
    """As ``[[rota]] name = …``, as ``[rota.NAME]``, or as the persons of one called ``rota``."""
    if not isinstance(value, list):
        return value
    if value and all(isinstance(one, str) for one in value):
        return {"rota": value}
    found: dict[Any, Any] = {}
    for number, one in enumerate(value, 1):
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            raise PydanticCustomError("no_name", "the {value}. has no name", {"value": number})
        if one["name"] in found:
            raise PydanticCustomError(
                "name_twice", "two are called '{value}'", {"value": one["name"]}
            )
        found[one["name"]] = {key: each for key, each in one.items() if key != "name"}
    return found


class Step(_Part):
    """One call, to several persons at once."""

    after_s: Annotated[float, Field(strict=True, ge=0, le=LONGEST_S, allow_inf_nan=False)]
    """Seconds from the alert."""
    channel: ChannelKind
    persons: Annotated[
        tuple[Person, ...], BeforeValidator(_tuple), Field(max_length=MOST_PERSONS)
    ] = ()
    rota: str | AnyRota | None = None
    """Instead of persons: whoever is on duty, by the name of a rota or of one written here."""

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if bool(self.persons) == (self.rota is not None):
            kind = "nobody" if self.rota is None else "two_ways"
            said = "nobody is called" if self.rota is None else "persons and a rota"
            text = f"{said}: name persons or a rota, one of them"
            raise PydanticCustomError(kind, text, {"at": "persons"})
        if len(set(self.persons)) < len(self.persons):
            twice = sorted({one for one in self.persons if self.persons.count(one) > 1})
            context = {"at": "persons", "value": ", ".join(twice)}
            raise PydanticCustomError("named_twice", "named twice: {value}", context)
        return self


class Match(_Part):
    """Which alerts a policy answers for; what is not named is not asked for."""

    household: Annotated[str, StringConstraints(max_length=48)] = ""
    district: Annotated[str, StringConstraints(max_length=40)] = ""
    kind: Annotated[str, StringConstraints(max_length=40)] = ""
    domain: Annotated[str, StringConstraints(max_length=32)] = ""
    severity: Literal["", "critical", "major", "minor"] = ""
    """What only informs calls for nobody."""


class Policy(_Part):
    """Steps one after the other, and a fallback that is their end."""

    name: Name
    match: Match = Match()
    quiet_hours: Annotated[QuietHours | None, BeforeValidator(_quiet_hours)] = None
    rota: Annotated[dict[str, AnyRota], BeforeValidator(_rotas)] = Field(default_factory=dict)
    remind_s: (
        Annotated[float, Field(strict=True, ge=60, le=LONGEST_S, allow_inf_nan=False)] | None
    ) = None
    step: Annotated[tuple[Step, ...], BeforeValidator(_tuple), Field(max_length=MOST_STEPS)] = ()
    fallback: Step

    @model_validator(mode="after")
    def _onwards(self) -> Self:
        before = 0.0
        for number, step in enumerate(self.steps, 1):
            where = "fallback" if number == len(self.steps) else f"step {number}"
            at = "fallback" if number == len(self.steps) else f"step.{number - 1}"
            if step.after_s < before:
                text = "{where}: after_s goes back ({value} after {before}); moments only go on"
                context = {"where": where, "value": f"{step.after_s:g}", "before": f"{before:g}"}
                raise PydanticCustomError("goes_back", text, {**context, "at": f"{at}.after_s"})
            if isinstance(step.rota, str) and step.rota not in self.rota:
                context = {"where": where, "value": step.rota, "at": f"{at}.rota"}
                raise PydanticCustomError("no_rota", "{where}: there is no rota '{value}'", context)
            before = step.after_s
        return self

    @property
    def steps(self) -> tuple[Step, ...]:
        """With the fallback, which is the last."""
        return (*self.step, self.fallback)

    def called(self, step: Step, moment: datetime) -> tuple[str, ...]:
        """The persons of a step at that moment."""
        if step.rota is None:
            return step.persons
        rota = self.rota[step.rota] if isinstance(step.rota, str) else step.rota
        return (rota.on_duty(moment),)

    @property
    def persons(self) -> frozenset[str]:
        """Everybody whom it may call."""
        rotas = [*self.rota.values(), *(step.rota for step in self.steps)]
        turns = [one.persons for one in rotas if isinstance(one, Rota)]
        return frozenset(chain.from_iterable([*turns, *(step.persons for step in self.steps)]))

    def calls(self) -> Iterator[tuple[str, str]]:
        """Everybody whom a step may call, with its channel."""
        for step in self.steps:
            rota = self.rota[step.rota] if isinstance(step.rota, str) else step.rota
            for person in step.persons if rota is None else rota.persons:
                yield person, step.channel

    def awake(self, moment: datetime, *, critical: bool) -> datetime:
        """When something that is meant for ``moment`` may be done. Never decreasing."""
        if critical or self.quiet_hours is None:
            return moment
        return self.quiet_hours.awake(moment)


def parse(document: object, where: str = "") -> Policy:
    """Raises ``BadPolicy`` with every mistake on one line. ``where``: the file, for the message."""
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        found = error
    details = found.errors(include_url=False, include_input=False)
    raise BadPolicy(
        [
            mistake._replace(text=_worded(detail["loc"], mistake))
            for detail, mistake in zip(details, mistakes_of(details), strict=True)
        ],
        where,
    )


def _worded(location: Sequence[int | str], mistake: Mistake) -> str:
    place = [str(part) for part in location]
    if len(place) > 1 and place[0] == "step" and place[1].isdigit():
        place[:2] = [f"step {int(place[1]) + 1}"]
    text = mistake.text.removeprefix("Value error, ")
    if mistake.kind == "extra-forbidden":
        text = "unknown key"
    elif mistake.kind == "missing" and place == ["fallback"]:
        text = "missing: a policy without an end would leave an alert to nobody"
    elif mistake.kind == "missing":
        text = "missing"
    elif mistake.kind == "tuple-type":
        text = "a list is wanted, in brackets"
    return ": ".join([*place, " ".join(text.split())])
