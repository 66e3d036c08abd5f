"""What is brought from the site into an inspection: the visit, samples, what the laboratory found,
whom somebody suspects.

Each is a line of the case's history: only ever added, so that two people who write at once lose
nothing, and what a phone kept without a network is taken whenever it comes. The words are sealed
as all texts of a case are; the line itself holds codes, numbers and the place that somebody gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.cases.models import CaseEvent, CaseRow
from vigil_cloud.cases.port import Fact, Section, Words
from vigil_cloud.cases.service import Desk, hold, told
from vigil_cloud.cases.written import Written
from vigil_cloud.water.models import WaterPoint
from vigil_schemas.types import isoformat_utc

KIND: Final = "water-inspection"
EntryKind = Literal["visit", "sample", "result", "suspect"]
WORDS: Final[Mapping[EntryKind, Words]] = {
    "visit": Words("On site", "現場"),
    "sample": Words("Sample", "採樣"),
    "result": Words("Laboratory result", "檢驗結果"),
    "suspect": Words("Suspect", "可疑來源"),
}


class BadSiteEntry(ApiError):
    """Something is missing that such an entry needs."""

    code: ClassVar[str] = "bad-site-entry"
    remedy: ClassVar[str] = "Fill in what the message names and send it again."
    status: ClassVar[int] = 422

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class SampleUnknown(ApiError):
    """A laboratory result for a sample that this case does not have."""

    code: ClassVar[str] = "sample-unknown"
    remedy: ClassVar[str] = "Check the sample's number; enter the sample before its result."
    status: ClassVar[int] = 422

    def __init__(self, number: str) -> None:
        super().__init__(f"This case has no sample {number!r}.")
        self.number = number


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """One entry. ``at``: when it was, by whoever wrote it down."""

    kind: EntryKind
    at: datetime
    text: str = ""
    number: str = ""
    """Of the sample."""
    outfall: str | None = None
    """Of a suspect: the registered outfall, where it is one."""
    latitude: float | None = None
    longitude: float | None = None


def add(desk: Desk, case_id: str, entry: SiteEntry, written: Written | None = None) -> CaseRow:
    """Raises ``BadSiteEntry``, ``SampleUnknown`` and what ``hold`` raises."""
    held = hold(desk, case_id, "note", None)
    if held.row.kind != KIND:
        raise BadSiteEntry("This case is no inspection of water.", field="case")
    _check(desk.session, case_id, entry)
    detail: dict[str, Any] = {"entry": entry.kind, "at": isoformat_utc(min(entry.at, desk.now))}
    if entry.at > desk.now:
        # A phone's clock is no reason to lose what was seen; the line says what it claimed.
        detail["claimed"] = isoformat_utc(entry.at)
    detail |= (written or Written()).doubt(desk.now)
    if entry.number:
        detail["number"] = entry.number
    if entry.outfall:
        detail["outfall"] = entry.outfall
    if entry.latitude is not None:
        detail |= {"latitude": entry.latitude, "longitude": entry.longitude}
    told(desk, held.row, "noted", detail, entry.text)
    return held.row


def _check(session: Session, case_id: str, entry: SiteEntry) -> None:
    if (entry.latitude is None) != (entry.longitude is None):
        raise BadSiteEntry("A place has a latitude and a longitude.", field="latitude")
    if entry.outfall is not None:
        point = session.get(WaterPoint, entry.outfall)
        if point is None or point.kind != "outfall":
            raise BadSiteEntry(f"There is no outfall {entry.outfall!r}.", field="outfall")
    match entry.kind:
        case "visit" if entry.latitude is None and not entry.text:
            raise BadSiteEntry("A visit has a place or a text.", field="text")
        case "sample" if not entry.number:
            raise BadSiteEntry("A sample has a number.", field="number")
        case "result" if not entry.number or not entry.text:
            raise BadSiteEntry("A result has its sample's number and a text.", field="number")
        case "suspect" if entry.outfall is None and not entry.text:
            raise BadSiteEntry("Name the outfall, or say in words who it is.", field="outfall")
    if entry.kind == "result" and entry.number not in set(_numbers(session, case_id)):
        raise SampleUnknown(entry.number)


def _numbers(session: Session, case_id: str) -> Iterator[str]:
    for event in entries(session, case_id):
        if event.detail["entry"] == "sample":
            yield event.detail["number"]


def entries(session: Session, case_id: str) -> Iterator[CaseEvent]:
    """What was brought from the site, in the order in which it came."""
    query = select(CaseEvent).where(CaseEvent.case_id == case_id, CaseEvent.action == "noted")
    for event in session.scalars(query.order_by(CaseEvent.number)):
        if event.detail.get("entry") in WORDS:
            yield event


def section(session: Session, case_id: str) -> Iterator[Section]:
    """Who took which sample and who is suspected, for the page and for the dossier; what was
    written stands in the history under the same number."""
    found = list(entries(session, case_id))
    if not found:
        return
    yield Section(
        code="site",
        words=Words("From the site", "現場紀錄"),
        facts=[
            Fact(
                Words(
                    f"{WORDS[event.detail['entry']].english} ({event.number})",
                    f"{WORDS[event.detail['entry']].chinese}（{event.number}）",
                ),
                " · ".join(_said(event)),
            )
            for event in found
        ],
        data={
            "entries": [
                {**event.detail, "account": event.account, "event": event.number} for event in found
            ]
        },
    )


def _said(event: CaseEvent) -> Iterator[str]:
    detail = event.detail
    if "number" in detail:
        yield str(detail["number"])
    if "outfall" in detail:
        yield str(detail["outfall"])
    if "latitude" in detail:
        yield f"{detail['latitude']:.5f}, {detail['longitude']:.5f}"
    yield str(detail["at"])
    yield event.account or "vigil"
