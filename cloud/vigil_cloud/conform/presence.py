"""Births and deaths of the gateway, and the devices that a birth describes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from vigil_cloud.conform.message import Finding, Heard, Judged, device_of
from vigil_cloud.ingest.decode import Observation
from vigil_schemas.control import Configuration, ConfigurationV2, Receipt
from vigil_schemas.envelope import Source
from vigil_schemas.gateway import DeviceDescription, GatewayBirth, GatewayDeath
from vigil_schemas.types import Domain

OLD: Final = timedelta(days=400)
"""A birth is said at each connection; none holds for so long."""
ASKED: Final = timedelta(seconds=10)
"""So long the broker may take to tell what it keeps."""


class Presence:
    """What is known of the gateway's sessions."""

    def __init__(self) -> None:
        self.birth: GatewayBirth | None = None
        self.death: GatewayDeath | None = None
        self.connected: datetime | None = None
        """When the newest session began; ``None`` before a birth came while it was watched."""
        self.begun: set[str] = set()
        """Epochs of which the first birth came while it was watched, after one of another."""
        self._live_session = False
        """The newest birth was said while we watched without a break."""
        self._doubtful: dict[bytes, tuple[str, datetime]] = {}
        self._said: set[str] = set()
        self._units: dict[tuple[str, str], str | None] = {}

    @property
    def accepts(self) -> frozenset[str]:
        """Event types beyond version 1 that the gateway understands."""
        return frozenset(self.birth.accepts) if self.birth else frozenset()

    @property
    def answers_configurations(self) -> bool:
        """Whether it reports what became of one."""
        return not self.accepts.isdisjoint({Configuration.TYPE, ConfigurationV2.TYPE})

    @property
    def understands_receipts(self) -> bool:
        """Whether receipts of version 2 can be sent to it."""
        return Receipt.TYPE in self.accepts

    def domain_of(self, _gateway: str, device: str | None) -> Domain | None:
        """As ingest asks of a damaged alarm."""
        found = self._description(device) if device else None
        return None if found is None else found.domain

    def broken(self) -> None:
        """Our own connection ended: what happened meanwhile was not seen."""
        self._live_session = False

    def take(self, judged: Judged) -> Iterator[Finding]:
        """A message of the gateway that is taken."""
        fact, heard = judged.fact, judged.heard
        match fact.data if fact is not None else None:
            case GatewayBirth() as birth:
                yield from self._born(birth, judged)
            case GatewayDeath() as death:
                yield from self._died(death, judged)
            case _ if judged.source is not None:
                yield from self._spoke(judged.source, heard)
                yield from self._of_device(judged)

    def _doubt(self, what: str, heard: Heard) -> None:
        """Not every broker tells whether retain was set: it is asked what it keeps."""
        self._doubtful.clear()  # the newer one has taken its place there
        if heard.retain is False:
            self._doubtful[heard.payload] = (what, heard.at)

    def is_kept(self, payload: bytes) -> None:
        """The broker keeps this."""
        self._doubtful.pop(payload, None)

    def not_retained(self, at: datetime, *, end: bool) -> Iterator[Finding]:
        """Births and deaths that the broker does not keep; ``end``: it has just been asked."""
        for payload, (what, said) in list(self._doubtful.items()):
            if end or at - said > ASKED:
                del self._doubtful[payload]
                yield Finding(f"{what}-not-retained", f"the {what} was published without retain")

    def missing(self) -> Iterator[Finding]:
        """At the end of the watch."""
        if self.birth is None:
            yield from self._once("birth-missing", "no birth was heard, and the broker keeps none")

    def _born(self, birth: GatewayBirth, judged: Judged) -> Iterator[Finding]:
        heard, before = judged.heard, self.birth
        assert judged.envelope is not None  # noqa: S101 - it was decoded
        source = Source.parse(judged.envelope.source)
        if source.epoch != birth.epoch:
            what = f"source has epoch {source.epoch}, the birth {birth.epoch}"
            yield Finding("epoch-unlike-birth", what, ("source",))
        self._doubt("birth", heard)
        if heard.at - judged.envelope.time > OLD:
            what = f"a birth of {judged.envelope.time:%Y-%m-%d} is what the broker keeps"
            yield Finding("birth-old", what, ("time",))
        if before is not None and not heard.stock and birth.session != before.session:
            yield from self._next_session(birth, before)
        if not heard.stock and (before is None or birth.session != before.session):
            self.connected, self._live_session = heard.at, True
        if before is not None and not heard.stock and birth.epoch != before.epoch:
            self.begun.add(birth.epoch)
        self.birth = birth
        if self.death is not None and birth.session > self.death.session:
            self.death = None
        self._said -= {"birth-missing", "sends-after-death"}

    def _next_session(self, birth: GatewayBirth, before: GatewayBirth) -> Iterator[Finding]:
        if birth.epoch == before.epoch and birth.session < before.session:
            what = f"session {birth.session} after {before.session} in one epoch"
            yield Finding("session-goes-back", what, ("data", "session"))
        elif self._live_session and (self.death is None or self.death.session != before.session):
            what = f"session {before.session} ended and nobody said so"
            yield Finding("death-missing", what)

    def _died(self, death: GatewayDeath, judged: Judged) -> Iterator[Finding]:
        assert judged.envelope is not None  # noqa: S101 - it was decoded
        self._doubt("death", judged.heard)
        epoch = Source.parse(judged.envelope.source).epoch
        birth = self.birth
        if birth is not None and birth.epoch == epoch and death.session < birth.session:
            what = f"death of session {death.session}, the birth's is {birth.session}"
            yield Finding("death-of-another-session", what, ("data", "session"))
        elif birth is not None and not judged.heard.stock and birth.epoch != epoch:
            what = f"death of epoch {epoch}, the birth's is {birth.epoch}"
            yield Finding("death-of-another-session", what, ("source",))
        self.death = death

    def _spoke(self, source: Source, heard: Heard) -> Iterator[Finding]:
        if self.birth is None:
            yield from self._once("birth-missing", f"{heard.topic} before any birth")
        elif self.birth.epoch != source.epoch:
            what = f"sent under epoch {source.epoch}, the birth says {self.birth.epoch}"
            yield from self._once(f"epoch-unlike-birth {source.epoch}", what, ("source",))
        if self.death is not None and not heard.stock:
            yield from self._once("sends-after-death", f"{heard.topic} after the death")

    def _of_device(self, judged: Judged) -> Iterator[Finding]:
        device = device_of(judged)
        if device is None or self.birth is None:
            return
        description = self._description(device)
        if description is None:
            what = f"the birth does not describe {device!r}"
            yield from self._once(f"device-undescribed {device}", what, ("subject",))
        first = judged.decoded[0]
        if not isinstance(first, Observation):
            return
        for point in first.points:
            series = point.series
            if description is not None and series.domain != description.domain:
                what = f"{device} is of {description.domain} by its birth, of {series.domain} here"
                yield from self._once(f"device-of-another-domain {device}", what, ("type",))
            key = (device, series.parameter)
            unit = first.units.get(series.parameter, self._units.get(key))
            if self._units.setdefault(key, unit) != unit:
                what = f"{series.parameter} came in {self._units[key]} before, in {unit} now"
                yield from self._once(f"unit-changes {key}", what, ("data",))

    def _description(self, device: str | None) -> DeviceDescription | None:
        described = self.birth.devices if self.birth else ()
        return next((one for one in described if one.device == device), None)

    def _once(self, key: str, what: str, where: tuple[str | int, ...] = ()) -> Iterator[Finding]:
        if key not in self._said:
            self._said.add(key)
            yield Finding(key.partition(" ")[0], what, where)
