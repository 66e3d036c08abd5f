"""Check-in stations in the simulated city: tags that are carried past radios and readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from vigil_sim.checkin.broken import ADVERT_STYLES, REPORT_STYLES
from vigil_sim.checkin.hosting import HOST, hosted, told_of_silence
from vigil_sim.checkin.journey import SEARCH_JOURNEY
from vigil_sim.checkin.offers import offers
from vigil_sim.checkin.scenario import Found, Missing, Person, Station, Walk
from vigil_sim.checkin.searching import end_search, report_missing
from vigil_sim.domain import ExtraTable, NightAlert, SeedTable, SimulatedDomain
from vigil_sim.fault_rules import FaultProfile
from vigil_sim.faults import FaultKind
from vigil_sim.scenario_model import Scenario, Unplugged
from vigil_sim.site import Site

if TYPE_CHECKING:
    from vigil_sim.checkin.walks import Walks


async def start(site: Site, stations: Sequence[Station]) -> None:
    """One Bluetooth service for each gateway that has radios, and each UHF reader."""
    if not stations:
        return
    from vigil_sim.checkin.stations import Radios  # D-Bus only where there is a radio
    from vigil_sim.checkin.walks import Walks

    walks = Walks(site.world.scenario)
    absence_s = round(max(4.0, 60.0 / site.clock.speed), 1)
    common = {"absence_s": absence_s, "min_sightings": 2}
    for gateway in dict.fromkeys(station.gateway for station in stations):
        here = [station for station in stations if station.gateway == gateway]
        ble = [station for station in here if station.driver == "ble"]
        if ble:
            radios = Radios(site, walks, ble, site.directory / gateway)
            await site.run(radios)
            site.add_environment(gateway, radios.environment)
            for station in ble:
                section = site.who(station) | radios.section(station) | common
                site.add_section(gateway, section)
                site.list_device(station, {})
        for station in here:
            if station.driver == "llrp":
                await _start_reader(site, walks, station, common)


async def _start_reader(site: Site, walks: Walks, station: Station, common: dict[str, Any]) -> None:
    from vigil_sim.checkin.stations import reader, receiver
    from vigil_sim.checkin.walks import Drive

    drive = None if station.drive is None else Drive(station.drive, station.drive_m_s)
    device = reader(site, walks, station, drive)
    await site.run(device)
    who, addresses = site.who(station), {"llrp": device.address}
    if drive is not None:  # it has no place but the one that satellites tell
        gpsd = receiver(site, drive)
        await site.run(gpsd)
        who = {key: value for key, value in who.items() if key not in {"latitude", "longitude"}}
        who["position"] = {"gpsd": gpsd.address, "max_age_s": 5.0}
        addresses["gpsd"] = gpsd.address
    site.add_section(station.gateway, device.section(**who, **common))
    site.list_device(station, addresses)


def faults(station: Station) -> FaultProfile:
    """A radio has no clock; what a reader reports breaks otherwise than an advert."""
    if station.driver == "llrp":
        return FaultProfile("a UHF reader", ("rssi",), REPORT_STYLES)
    no_clock = {FaultKind.CLOCK_SKEW: "a radio has no clock; a reader (llrp) has"}
    return FaultProfile("a BLE station", ("rssi",), ADVERT_STYLES, without_effect=no_clock)


def people(scenario: Scenario) -> tuple[Person, ...]:
    """Who carries which tags."""
    return scenario.tables("person", Person)


SCOPES: Final = ("last_place", "footprint", "live", "alerts")
"""What their consents open to the relatives of the demo: all that a consent can."""


def listed(scenario: Scenario) -> dict[str, Any]:
    """For ``city.json``."""
    return {"people": [person.model_dump(mode="json") for person in people(scenario)]}


def seed(scenario: Scenario, relatives: Sequence[str], expires: str) -> list[SeedTable]:
    """Persons, their tags, until when their relatives may see them, and that these are told of each
    stay."""
    found: list[SeedTable] = []
    for person in people(scenario):
        names = {"key": person.key, "name": person.name, "guardians": list(relatives)}
        found.append(("person", names))
        found += [("tag", {"tag": tag, "person": person.key}) for tag in person.tags]
        found.append(("person_rule", {"person": person.key, "kind": "seen"}))
        shown = {"person": person.key, "expires": expires, "scopes": list(SCOPES)}
        found += [("consent", {**shown, "account": account}) for account in relatives]
    for station in hosted(scenario):
        place = {"key": "station-place", "name": station.name_zh, "devices": [station.device]}
        member = {"household": "station-place", "account": HOST, "relation": "contact"}
        found += [("household", place), ("member", member)]
    return found


def phones(scenario: Scenario) -> tuple[str, ...]:
    """The host of a station has one where the night needs it."""
    return (HOST,) if scenario.happenings(Unplugged) else ()


CHECKIN: Final = SimulatedDomain(
    key="checkin",
    title="Check-in stations",
    title_zh="平安報到",
    icon="📿",
    device=Station,
    start=start,
    faults=faults,
    ledger={
        "advert": "one advertisement that a station's radio received; the value is its RSSI, dBm",
        "tag-read": "one tag in a reader's report; the value is its RSSI, dBm",
    },
    happenings=(Walk, Missing, Found),
    tables={"person": ExtraTable(kind=Person, default=())},
    listed=listed,
    seed=seed,
    people={"missing": report_missing, "found": end_search},
    errands={"unplugged": told_of_silence},
    phones=phones,
    offers=offers,
    alert=NightAlert(moment="arrived"),
    journeys=(SEARCH_JOURNEY,),
)
