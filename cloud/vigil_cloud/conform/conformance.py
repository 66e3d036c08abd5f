"""Everything that is known of one gateway's conduct: messages in, findings out.

Pure: times come with the messages, nothing is read from a clock or sent anywhere.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from vigil_cloud.conform.downward import Downward, is_receipt
from vigil_cloud.conform.message import Finding, Heard, Judged, Verdict, digest, judge
from vigil_cloud.conform.numbers import Numbers
from vigil_cloud.conform.presence import Presence
from vigil_cloud.conform.rules import RULES, written
from vigil_cloud.ingest.decode import Decoder
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.times import Limits
from vigil_schemas.envelope import Source
from vigil_schemas.gateway import CommandResult, ConfigurationReport
from vigil_schemas.topics import DOWN, STATUS, parse
from vigil_schemas.types import Lane

_IDS: Final = 20_000
_SOURCES: Final = 1_000
"""A gateway that draws an epoch for each message shall not fill our memory."""


class Told(NamedTuple):
    """A finding with the message it is about, as it is shown."""

    code: str
    what: str
    place: str
    """``data.since``; empty where it is no place in a message."""
    written: str
    """The rule: a page or a schema of the repository."""
    remedy: str
    fault: bool
    message: str
    """Topic, number and id of the message; empty where it is about none."""
    verdict: Verdict | None
    """What ingest does with that message."""


class Conformance:
    """Watches one gateway."""

    def __init__(
        self,
        gateway: str,
        limits: Limits,
        lanes: Collection[str] = tuple(Lane),
        taken: Callable[[Judged], None] = lambda _: None,
    ) -> None:
        """``lanes``: whose messages are judged; ``status`` and what the cloud sends always are.
        ``taken`` is told of each message of the gateway."""
        self.gateway = gateway
        self.presence = Presence()
        self.counts: Counter[str] = Counter()
        """Messages by channel, and faults as ``faults``."""
        self.found: Counter[str] = Counter()
        """Findings by code."""
        self.numbers: OrderedDict[str, Numbers] = OrderedDict()
        self._lanes = frozenset(lanes)
        self._taken = taken
        self._downward = Downward()
        self._decoder = Decoder(limits, self.presence.domain_of)
        self._ids: OrderedDict[str, tuple[str, str, int | None]] = OrderedDict()
        self._stock: dict[str, bytes] = {}
        """What the broker keeps, by topic."""
        self._epochs: dict[str, list[str]] = {}
        """By lane, in the order in which they came."""

    def heard(self, heard: Heard) -> list[Told]:
        """A message of the broker on one of the gateway's topics."""
        addressed = parse(heard.topic)
        if addressed is not None and addressed.channel in DOWN:
            return self._down(heard, addressed.channel)
        if not heard.payload:  # a retained message is taken back
            return []
        lane = addressed.channel if addressed is not None else ""
        if heard.stock:
            self.presence.is_kept(heard.payload)
            if self._stock.get(heard.topic) == heard.payload:
                return []  # the broker was asked again
            self._stock[heard.topic] = heard.payload
        if lane in set(Lane) and lane not in self._lanes:
            return []
        self.counts[lane or "elsewhere"] += 1
        judged = judge(self._decoder, heard)
        if judged.verdict == "not heard" and not self._is_ours(judged):
            return []
        found = [*judged.findings, *self._conduct(judged, lane)]
        self._taken(judged)
        return [self._told(one, judged) for one in found]

    def broken(self) -> None:
        """Our own connection ended: what was sent meanwhile was not seen."""
        self.presence.broken()
        for numbers in self.numbers.values():
            numbers.broken()

    def tick(self, at: datetime, *, end: bool = False) -> list[Told]:
        """What should have come by now and did not; ``end``: the watch is over."""
        found = [
            one
            for name, numbers in self.numbers.items()
            for one in numbers.overdue(
                at, self.presence.connected, repacked=self._is_repacked(name), end=end
            )
        ]
        found += self.presence.not_retained(at, end=end)
        reports = self.presence.answers_configurations
        found += self._downward.overdue(at, reports=reports, end=end)
        if end:
            heard = sum(self.counts[one] for one in (*self._lanes, STATUS, "elsewhere"))
            if heard:
                found += self.presence.missing()
            else:
                found.append(Finding("nothing-heard", f"no message of {self.gateway} was heard"))
        return [self._told(one, None) for one in found]

    def _is_repacked(self, name: str) -> bool:
        source, birth = Source.parse(name), self.presence.birth
        superseded = birth is not None and birth.epoch != source.epoch
        return superseded and source.lane == Lane.OBSERVATION

    def _is_ours(self, judged: Judged) -> bool:
        """On a topic of no gateway: whether it is this one's all the same."""
        if parse(judged.heard.topic) is not None:
            return True
        return self.gateway in judged.heard.topic.split("/")

    def _down(self, heard: Heard, channel: str) -> list[Told]:
        self.counts[channel] += 1
        message, found = self._downward.heard(heard)
        receipt = is_receipt(message)
        if receipt is not None:
            progress = Progress(receipt.stored, receipt.beyond, receipt.refused)
            if receipt.source in self.numbers:
                self.numbers[receipt.source].receipt(progress, heard.at)
        about = heard.topic if found else ""
        return [self._told(one, None, about) for one in found]

    def _conduct(self, judged: Judged, lane: str) -> Iterator[Finding]:
        """What one message alone does not show."""
        heard = judged.heard
        if lane in set(Lane):
            if heard.retain or heard.stock:
                yield Finding("retained", f"{heard.topic} was published with retain")
            if heard.qos == 0:
                yield Finding("qos", f"{heard.topic} came with QoS 0, which may be lost")
        if heard.stock and lane != STATUS:
            return  # of another time: it says nothing of numbers
        yield from self._known_id(judged)
        yield from self._numbered(judged)
        yield from self.presence.take(judged)
        fact = judged.fact
        if fact is not None and isinstance(fact.data, CommandResult):
            yield from self._downward.answered(fact.data)
        elif fact is not None and isinstance(fact.data, ConfigurationReport):
            self._downward.reported(fact.data)

    def _known_id(self, judged: Judged) -> Iterator[Finding]:
        if judged.envelope is None or judged.source is None:
            return
        said, source = digest(judged.envelope), str(judged.source)
        known = self._ids.get(judged.envelope.id)
        self._ids[judged.envelope.id] = (said, source, judged.number)
        if known is not None and known[1:] != (source, judged.number):
            _, before, number = known
            if known[0] != said:
                what = f"id {judged.envelope.id!r} was that of number {number} of {before}"
                yield Finding("id-used-again", what, ("id",))
            elif before != source and before in self.numbers and number is not None:
                self.numbers[before].moved(number)
        if len(self._ids) > _IDS:
            self._ids.popitem(last=False)

    def _numbered(self, judged: Judged) -> Iterator[Finding]:
        source, number = judged.source, judged.number
        if source is None or number is None:
            return
        name = str(source)
        if name not in self.numbers:
            yield from self._epoch(source)
            if len(self.numbers) > _SOURCES:
                self.numbers.popitem(last=False)
        elif self._epochs[source.lane][-1] != source.epoch:
            self._epochs[source.lane].append(source.epoch)
            yield Finding("epoch-returns", f"epoch {source.epoch} came before", ("source",))
        said = digest(judged.envelope) if judged.envelope else judged.heard.payload.hex()
        identity = judged.id or ""
        yield from self.numbers[name].sent(number, said, identity, judged.heard.at)

    def _epoch(self, source: Source) -> Iterator[Finding]:
        epochs = self._epochs.setdefault(source.lane, [])
        birth = self.presence.birth
        first_of_all = birth is not None and birth.session == 1 and birth.epoch == source.epoch
        fresh = (
            bool(epochs)
            or source.epoch in self.presence.begun
            or (first_of_all and self.presence.connected is not None)
        )
        if source.epoch in epochs:
            yield Finding("epoch-returns", f"epoch {source.epoch} came before", ("source",))
        epochs.append(source.epoch)
        self.numbers[str(source)] = Numbers(from_its_begin=fresh)

    def _told(self, finding: Finding, judged: Judged | None, about: str = "") -> Told:
        rule = RULES[finding.code]
        self.found[finding.code] += 1
        self.counts["faults"] += rule.fault
        verdict = None
        event_type = None
        if judged is not None:
            verdict, event_type = judged.verdict, judged.type
            number = "" if judged.number is None else f" number {judged.number}"
            identity = "" if judged.id is None else f" id {judged.id[:64]}"
            about = f"{judged.heard.topic}{number}{identity}"
        place = ".".join(str(part) for part in finding.where)
        rule_at = written(finding.code, event_type, finding.where)
        return Told(
            finding.code, finding.what, place, rule_at, rule.remedy, rule.fault, about, verdict
        )
