"""What the demo's host of a station goes through: its box falls silent, a message says so after an
hour, and once the box is plugged in again another one says that it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from vigil_sim.checkin.scenario import Station
from vigil_sim.domain import Around
from vigil_sim.journey import JourneyFailed
from vigil_sim.scenario_model import Scenario, Unplugged

HOST: Final = "host"
"""The demo's account."""
_KEEPER: Final = "maintainer"
_WORKS: Final = "The station works"
_SILENT: Final = "The station is not heard"
_KIND: Final = "station-silent"


def hosted(scenario: Scenario) -> Sequence[Station]:
    """The station whose host has an account: the one that is unplugged, else the first."""
    stations = scenario.tables("checkin", Station)
    boxes = {one.gateway for one in scenario.happenings(Unplugged)}
    return ([one for one in stations if one.gateway in boxes] or list(stations))[:1]


def told_of_silence(said: Mapping[str, Any], around: Around) -> Iterator[str | None]:
    """From the box that works to the box that works again. Raises ``JourneyFailed``."""
    station = next(one for one in hosted(around.scenario) if one.gateway == said["gateway"])
    name = f"{station.name_zh} {station.name}"
    with around.sign_in(_KEEPER) as keeper:
        made = keeper.post(f"/stations/{station.device}/links", {})
    code, own = made["status_link"], made["host_link"]

    yield from _until(lambda: _WORKS in around.page(code))
    yield f"{name}: the page behind the code on its box says that it works"
    told_before = len(around.shown(HOST))
    around.unplug(station.gateway)
    yield f"{name}: its box is unplugged; its host will be told after an hour of the city's time"
    yield from _until(lambda: _SILENT in around.page(code))
    yield f"{name}: the page behind the code says that it is not heard"
    yield from _until(lambda: len(around.shown(HOST)) > told_before)
    title = around.shown(HOST)[told_before]
    _on_the_hosts_pages(around, station, own, title)
    yield f"{name}: its host was told, and reads it on the station's pages: {title}"

    told_before = len(around.shown(HOST))
    around.plug_in(station.gateway)
    yield f"{name}: its host plugs it in again"
    yield from _until(lambda: _WORKS in around.page(code))
    yield from _until(lambda: len(around.shown(HOST)) > told_before)
    yield f"{name}: it works again, and its host was told: {around.shown(HOST)[told_before]}"


def _until(true: Callable[[], bool]) -> Iterator[None]:
    while not true():
        yield None


def _on_the_hosts_pages(around: Around, station: Station, own: str, title: str) -> None:
    """The host's link, the page of the account's stations, and the alert itself agree."""
    if station.name not in title and station.name_zh not in title:
        raise JourneyFailed(f"the host of {station.device} was told {title!r}")
    if _SILENT not in around.page(own):
        raise JourneyFailed(f"the host's page of {station.device} does not say that it is silent")
    with around.sign_in(HOST) as host:
        listed = {one["device"]: one for one in host.get("/stations")["stations"]}
        alerts = host.get("/alerts?limit=100")["alerts"]
    shown = listed.get(station.device)
    if shown is None or shown["works"] or shown["reason"] != "silent":
        raise JourneyFailed(f"the host's stations show {shown} of {station.device}")
    if not any(one["kind"] == _KIND and one["device"] == station.device for one in alerts):
        raise JourneyFailed(f"the host sees no alert of {station.device}")
