"""A message of the Common Alerting Protocol, CAP 1.2 (OASIS). Pure.

Texts are data: what cannot stand in XML 1.0 is left out, everything else is escaped.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE: Final = "application/cap+xml"
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_IDENTIFIER: Final = re.compile(r"[\s,<&]")

Status = Literal["Actual", "Exercise", "Test"]
Category = Literal["Fire", "Health", "Rescue", "Security", "Safety", "Other"]
Certainty = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]


@dataclass(frozen=True, slots=True)
class CapText:
    """The message in one language (RFC 3066: ``zh-TW``, ``en``)."""

    language: str
    event: str
    headline: str
    description: str
    instruction: str
    place: str


@dataclass(frozen=True, slots=True)
class CapMessage:
    """One emergency, or that it is over. ``radius_m`` around the position, where that is known."""

    identifier: str
    sender: str
    sent: datetime
    status: Status
    category: Category
    texts: Sequence[CapText]
    latitude: float | None = None
    longitude: float | None = None
    radius_m: float = 50.0
    certainty: Certainty = "Observed"
    takes_back: str = ""
    """``reference`` of the message that this one cancels; empty: it is an alert of its own."""

    @property
    def reference(self) -> str:
        """How another message names this one (3.2.1, references)."""
        identifier = _NO_IDENTIFIER.sub("-", self.identifier)
        return f"{_NO_IDENTIFIER.sub('-', self.sender)},{identifier},{_time(self.sent)}"


def render(message: CapMessage) -> bytes:
    """The document, UTF-8."""
    alert = ET.Element("alert", {"xmlns": NAMESPACE})
    for name, value in (
        ("identifier", _NO_IDENTIFIER.sub("-", message.identifier)),
        ("sender", _NO_IDENTIFIER.sub("-", message.sender)),
        ("sent", _time(message.sent)),
        ("status", message.status),
        ("msgType", "Cancel" if message.takes_back else "Alert"),
        ("scope", "Private"),  # for the emergency line alone
        ("addresses", "119"),
    ):
        _add(alert, name, value)
    if message.takes_back:
        _add(alert, "references", message.takes_back)
    for text in message.texts:
        _info(alert, message, text)
    document: bytes = ET.tostring(alert, encoding="utf-8", xml_declaration=True)
    return document


def _info(alert: ET.Element, message: CapMessage, text: CapText) -> None:
    info = ET.SubElement(alert, "info")
    for name, value in (
        ("language", text.language),
        ("category", message.category),
        ("event", text.event),
        ("responseType", "AllClear" if message.takes_back else "Execute"),
        ("urgency", "Past" if message.takes_back else "Immediate"),
        ("severity", "Minor" if message.takes_back else "Extreme"),
        ("certainty", message.certainty),
        ("headline", text.headline[:160]),
        ("description", text.description),
        ("instruction", text.instruction),
    ):
        _add(info, name, value)
    area = ET.SubElement(info, "area")
    _add(area, "areaDesc", text.place)
    if message.latitude is not None and message.longitude is not None:
        radius_km = message.radius_m / 1000
        _add(area, "circle", f"{message.latitude:.6f},{message.longitude:.6f} {radius_km:.3f}")


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = _NO_XML.sub("", text)


def _time(moment: datetime) -> str:
    """CAP wants the offset written out, no Z, and -00:00 for UTC (3.3.2, DateTime)."""
    text = moment.replace(microsecond=0).isoformat()
    return text.removesuffix("+00:00") + "-00:00" if text.endswith("+00:00") else text
