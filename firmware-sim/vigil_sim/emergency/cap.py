"""Reading a CAP 1.2 message as an emergency line does (OASIS CAP-V1.2, sections 3.2 to 3.3). Pure.

What the standard requires is checked and every mistake named. Shares nothing with whoever writes
such messages.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from vigil_schemas.errors import VigilError

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
_TAG: Final = f"{{{NAMESPACE}}}"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
_CIRCLE: Final = re.compile(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?) (\d+(?:\.\d+)?)")
_POINT: Final = re.compile(r"-?\d+(\.\d+)?,-?\d+(\.\d+)?")
_NO_NAME: Final = re.compile(r"[\s,<&]")
_ALERT_ORDER: Final = [
    "identifier",
    "sender",
    "sent",
    "status",
    "msgType",
    "source",
    "scope",
    "restriction",
    "addresses",
    "code",
    "note",
    "references",
    "incidents",
    "info",
]
_INFO_ORDER: Final = [
    "language",
    "category",
    "event",
    "responseType",
    "urgency",
    "severity",
    "certainty",
    "audience",
    "eventCode",
    "effective",
    "onset",
    "expires",
    "senderName",
    "headline",
    "description",
    "instruction",
    "web",
    "contact",
    "parameter",
    "resource",
    "area",
]
_AREA_ORDER: Final = ["areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"]
_SEVERAL: Final = frozenset(
    [
        "code",
        "info",
        "category",
        "responseType",
        "eventCode",
        "parameter",
        "resource",
        "area",
        "polygon",
        "circle",
        "geocode",
    ]
)
_ONE_OF: Final[Mapping[str, frozenset[str]]] = {
    "status": frozenset(["Actual", "Exercise", "System", "Test", "Draft"]),
    "msgType": frozenset(["Alert", "Update", "Cancel", "Ack", "Error"]),
    "scope": frozenset(["Public", "Restricted", "Private"]),
    "category": frozenset(
        [
            "Geo",
            "Met",
            "Safety",
            "Security",
            "Rescue",
            "Fire",
            "Health",
            "Env",
            "Transport",
            "Infra",
            "CBRNE",
            "Other",
        ]
    ),
    "responseType": frozenset(
        [
            "Shelter",
            "Evacuate",
            "Prepare",
            "Execute",
            "Avoid",
            "Monitor",
            "Assess",
            "AllClear",
            "None",
        ]
    ),
    "urgency": frozenset(["Immediate", "Expected", "Future", "Past", "Unknown"]),
    "severity": frozenset(["Extreme", "Severe", "Moderate", "Minor", "Unknown"]),
    "certainty": frozenset(["Observed", "Likely", "Possible", "Unlikely", "Unknown"]),
}
_NEED_REFERENCES: Final = frozenset({"Update", "Cancel", "Ack", "Error"})


class NotCap(VigilError):
    """It is no CAP 1.2 message. ``mistakes`` names each."""

    code: ClassVar[str] = "cap-invalid"
    remedy: ClassVar[str] = "Write what the standard requires; each mistake is named."

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Message:
    """What an operator at the line reads."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    references: tuple[str, ...]
    """Identifiers of the messages that this one speaks of."""
    event: str
    headline: str
    description: str
    place: str
    latitude: float | None
    longitude: float | None
    languages: tuple[str, ...]


def read(document: bytes) -> Message:
    """Raises ``NotCap``."""
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise NotCap(["a document type is not taken"])  # entities may grow without end
    try:
        alert = ET.fromstring(document)  # noqa: S314 - no document type, and expat bounds what grows
    except ET.ParseError as error:
        raise NotCap([f"no XML: {error}"]) from error
    if alert.tag != f"{_TAG}alert":
        raise NotCap([f"{alert.tag!r} is no alert of {NAMESPACE}"])
    mistakes = list(_mistakes(alert))
    if mistakes:
        raise NotCap(mistakes)
    infos = alert.findall(f"{_TAG}info")
    first = infos[0] if infos else None
    latitude, longitude = _centre(first)
    return Message(
        identifier=_text(alert, "identifier"),
        sender=_text(alert, "sender"),
        sent=datetime.fromisoformat(_text(alert, "sent")),
        status=_text(alert, "status"),
        msg_type=_text(alert, "msgType"),
        references=tuple(one.split(",")[1] for one in _text(alert, "references").split()),
        event=_text(first, "event"),
        headline=_text(first, "headline"),
        description=_text(first, "description"),
        place=_text(first, f"area/{_TAG}areaDesc"),
        latitude=latitude,
        longitude=longitude,
        languages=tuple(_text(info, "language") or "en-US" for info in infos),
    )


def _mistakes(alert: ET.Element) -> Iterator[str]:
    yield from _shape(
        alert, "alert", _ALERT_ORDER, ["identifier", "sender", "sent", "status", "msgType", "scope"]
    )
    for name in ("identifier", "sender"):
        if _NO_NAME.search(_text(alert, name)):
            yield f"{name} holds a space, a comma, < or &"
    if not _is_time(_text(alert, "sent")):
        yield f"sent is no time of the form 2026-01-31T12:30:00+08:00: {_text(alert, 'sent')!r}"
    yield from _addressed(alert)
    for info in alert.findall(f"{_TAG}info"):
        yield from _shape(
            info, "info", _INFO_ORDER, ["category", "event", "urgency", "severity", "certainty"]
        )
        for area in info.findall(f"{_TAG}area"):
            yield from _shape(area, "area", _AREA_ORDER, ["areaDesc"])
            yield from _geometry(area)


def _addressed(alert: ET.Element) -> Iterator[str]:
    """To whom, and of which other message."""
    scope = _text(alert, "scope")
    if scope == "Private" and not _text(alert, "addresses"):
        yield "scope Private asks for addresses"
    if scope == "Restricted" and not _text(alert, "restriction"):
        yield "scope Restricted asks for restriction"
    references = _text(alert, "references").split()
    if _text(alert, "msgType") in _NEED_REFERENCES and not references:
        yield f"msgType {_text(alert, 'msgType')} asks for references"
    for one in references:
        parts = one.split(",")
        if len(parts) != 3 or not all(parts) or not _is_time(parts[2]):
            yield f"a reference is sender,identifier,sent: {one!r}"


def _shape(
    element: ET.Element, what: str, order: Sequence[str], required: Sequence[str]
) -> Iterator[str]:
    """Which elements, how often, in which order (the schema is a sequence), with which words."""
    names = [child.tag.removeprefix(_TAG) for child in element]
    strange = sorted({name for name in names if name not in order})
    if strange:
        yield f"{what} knows no {', '.join(strange)}"
    known = [name for name in names if name in order]
    if known != sorted(known, key=order.index):
        yield f"{what} has its elements in another order: {' '.join(known)}"
    for name in sorted(set(known)):
        if known.count(name) > 1 and name not in _SEVERAL:
            yield f"{what} has {name} more than once"
    for name in required:
        if not _text(element, name):
            yield f"{what} lacks {name}"
    for name, words in _ONE_OF.items():
        for child in element.findall(f"{_TAG}{name}"):
            if (child.text or "").strip() not in words:
                yield f"{name} is none of its words: {child.text!r}"


def _geometry(area: ET.Element) -> Iterator[str]:
    for circle in area.findall(f"{_TAG}circle"):
        found = _CIRCLE.fullmatch((circle.text or "").strip())
        if found is None or not _on_earth(float(found[1]), float(found[2])):
            yield f"circle is latitude,longitude kilometres: {circle.text!r}"
    for polygon in area.findall(f"{_TAG}polygon"):
        points = (polygon.text or "").split()
        closed = len(points) >= 4 and points[0] == points[-1]
        if not closed or not all(_POINT.fullmatch(point) for point in points):
            yield "polygon is four points or more, the last the first"


def _centre(info: ET.Element | None) -> tuple[float | None, float | None]:
    found = _CIRCLE.fullmatch(_text(info, f"area/{_TAG}circle"))
    return (None, None) if found is None else (float(found[1]), float(found[2]))


def _on_earth(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _text(element: ET.Element | None, path: str) -> str:
    return "" if element is None else (element.findtext(f"{_TAG}{path}") or "").strip()
