"""Sound cards that can record, and cameras of the network (ONVIF, RTSP).

A camera belongs to a microphone's section and needs a password, so it is shown with the address
that ``[noise.camera]`` wants and is not added from afar. Sources: WS-Discovery 1.1 and ONVIF Core
7.3 (Probe over multicast, ``NetworkVideoTransmitter``); RFC 2326 (``OPTIONS``).
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from vigil_edge.configuration.added import Template
from vigil_edge.discovery.addresses import spoken
from vigil_edge.discovery.search import Found, Place, Search
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.portaudio import library
from vigil_schemas.discovery import Choice, Option
from vigil_schemas.noise import DOMAIN

GROUP: Final = ("239.255.255.250", 3702)
"""Of WS-Discovery on IPv4."""
LISTEN_S: Final = 3.0
RTSP_PORT: Final = 554
RTSP_S: Final = 3.0
_ANSWER_BYTES: Final = 64 * 1024
_MOST: Final = 200
_PROBE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
 xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header>
<w:MessageID>uuid:{id}</w:MessageID>
<w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>
<w:Action e:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action>
</e:Header><e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body>
</e:Envelope>"""
_SCOPE: Final = "onvif://www.onvif.org/"
CHOICE: Final = "channels"


async def discover(search: Search) -> AsyncIterator[Place]:
    """The sound cards, the cameras that answer a multicast, and those that somebody typed."""
    yield await asyncio.to_thread(_sound_cards, search)
    yield await onvif(GROUP)
    for address in spoken(search.addresses, "rtsp", RTSP_PORT):
        yield await rtsp(address)


# -- sound cards


def _sound_cards(search: Search) -> Place:
    try:
        cards: Any = library().query_devices()
    except ImportError as error:
        return Place("sound cards", code="package-missing", message=str(error))
    except OSError as error:
        message = f"PortAudio cannot be used: {error}"
        return Place("sound cards", code="portaudio-missing", message=message)
    used = {
        str(one.audio.address): one.device
        for one in search.sections
        if isinstance(one, NoiseSettings) and one.audio.source == "sounddevice"
    }
    return Place("sound cards", [_card(card, used) for card in cards if _records(card)])


def _records(card: Any) -> bool:
    return int(card["max_input_channels"]) > 0


def _card(card: Any, used: dict[str, str]) -> Found:
    name, rate = str(card["name"]), int(card["default_samplerate"])
    most = min(int(card["max_input_channels"]), 64)
    device = used.get(name, used.get(str(card["index"])))
    tables: dict[str, dict[str, Any]] = {
        str(count): {
            "audio": {
                "source": "sounddevice",
                "address": name,
                "format": f"s32le:{rate}:{count}",
            }
        }
        for count in sorted({1, min(2, most), most})
    }
    options = [
        Option(value=count, title=f"{count} of {most}", title_zh=f"{most} 聲道取 {count}")
        for count in tables
    ]
    choice = Choice(key=CHOICE, title="Channels", title_zh="聲道數", options=options)
    return Found(
        driver="sounddevice",
        title=f"Sound card {name}",
        title_zh=f"音效卡 {name}",
        identity=(name,),
        facts=(
            ("inputs", str(most)),
            ("sampling rate", f"{rate} Hz"),
            ("sensitivity", "unknown until a calibrator was held to it"),
        ),
        choices=() if device else (choice,),
        template=None if device else Template(domain=DOMAIN, table={}, choices={CHOICE: tables}),
        device=device,
    )


# -- cameras


class _Answers(asyncio.DatagramProtocol):
    """What came to the socket that asked."""

    def __init__(self) -> None:
        self.heard: dict[bytes, str] = {}
        """By what was said, who said it first."""

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """As asyncio calls it."""
        if len(self.heard) < _MOST and len(data) <= _ANSWER_BYTES:
            self.heard.setdefault(data, str(addr[0]))


async def onvif(group: tuple[str, int]) -> Place:
    """Every camera that answers a probe sent to this group."""
    place = "cameras by ONVIF (WS-Discovery)"
    loop = asyncio.get_running_loop()
    try:
        transport, answers = await loop.create_datagram_endpoint(_Answers, family=socket.AF_INET)
        try:
            transport.sendto(_PROBE.format(id=uuid.uuid4()).encode(), group)
            await asyncio.sleep(LISTEN_S)
        finally:
            transport.close()
    except OSError as error:
        return Place(place, code="network-refuses", message=str(error))
    found: dict[str, Found] = {}
    unreadable = 0
    for data, sender in answers.heard.items():
        try:
            matches = list(probe_matches(data))
        except ValueError:
            unreadable += 1
            continue
        found |= {one.identity[0]: one for one in (_camera(*each, sender) for each in matches)}
    message = f"{unreadable} answers could not be read" if unreadable else None
    code = "answer-unreadable" if unreadable else None
    return Place(place, list(found.values()), code, message)


def probe_matches(data: bytes) -> Iterator[tuple[str, list[str], list[str]]]:
    """Address, scopes and service addresses of each match. Raises ``ValueError``.

    A document type is refused: nothing that answers a probe needs one, and entities grow.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError("it brings a document type of its own")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - bounded, and without entities
    except (ElementTree.ParseError, LookupError) as error:  # no XML, or of an encoding that is none
        raise ValueError(str(error)) from error
    for match in root.iter("{http://schemas.xmlsoap.org/ws/2005/04/discovery}ProbeMatch"):
        words = {child.tag.rpartition("}")[2]: (child.text or "").split() for child in match}
        address = match.findtext(
            "{http://schemas.xmlsoap.org/ws/2004/08/addressing}EndpointReference/"
            "{http://schemas.xmlsoap.org/ws/2004/08/addressing}Address",
            "",
        ).strip()
        yield address, words.get("Scopes", []), words.get("XAddrs", [])


def _camera(address: str, scopes: list[str], services: list[str], sender: str) -> Found:
    told = [unquote(one.removeprefix(_SCOPE)) for one in scopes if one.startswith(_SCOPE)]
    said = {key: rest for key, _, rest in (one.partition("/") for one in told)}
    host = next((host for one in services if (host := _host(one))), sender)
    name = said.get("name") or host
    facts = [(key, said[key]) for key in ("name", "hardware", "location") if said.get(key)]
    facts += [("service", one) for one in services[:2]]
    facts.append(("for the gateway's file", _written(host)))
    return Found(
        driver="onvif",
        title=f"Camera {name} at {host}",
        title_zh=f"攝影機 {name}（{host}）",
        identity=(address or host,),
        facts=tuple(facts),
    )


def _host(service: str) -> str | None:
    """``None`` where what a camera says of itself is no address."""
    try:
        return urlsplit(service).hostname
    except ValueError:
        return None


def _written(where: str) -> str:
    return f'[noise.camera] source = "rtsp", address = "rtsp://{where}/…"'


async def rtsp(address: str) -> Place:
    """Whether somebody speaks RTSP there, and what it calls itself."""
    place = f"rtsp://{address}"
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(RTSP_S):
            stream, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            try:
                writer.write(f"OPTIONS rtsp://{address}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
                await writer.drain()
                answer = (await stream.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return Place(place, code="camera-unreachable", message=str(error) or "no answer")
    first, *rest = answer.split("\r\n")
    if not first.startswith("RTSP/"):
        return Place(place, code="camera-unreachable", message="it does not speak RTSP")
    headers = {k.strip().lower(): v.strip() for k, _, v in (one.partition(":") for one in rest)}
    facts = [("answer", first)]
    facts += [(key, headers[key]) for key in ("server", "public") if headers.get(key)]
    facts.append(("for the gateway's file", _written(address)))
    found = Found(
        driver="rtsp",
        title=f"Camera at {address}",
        title_zh=f"攝影機（{address}）",
        identity=(address,),
        facts=tuple(facts),
    )
    return Place(place, [found])
