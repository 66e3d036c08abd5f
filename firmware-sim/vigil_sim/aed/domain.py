"""AED cabinets in the simulated city: an I/O board for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vigil_sim.aed.cabinet import STATE_STYLES, shown
from vigil_sim.aed.journey import AED_JOURNEY
from vigil_sim.aed.scenario import Cabinet, CabinetUse
from vigil_sim.domain import NightAlert, SeedTable, SimulatedDomain
from vigil_sim.fault_rules import FaultProfile
from vigil_sim.faults import FaultKind
from vigil_sim.modbus.broken import TCP_STYLES
from vigil_sim.scenario_model import Scenario
from vigil_sim.site import Site
from vigil_sim.world import World

VOLUNTEERS: Final = ("volunteer", "volunteer2")
"""The demo's accounts that are called."""


async def start(site: Site, cabinets: Sequence[Cabinet]) -> None:
    """Run each cabinet's board."""
    if not cabinets:
        return
    from vigil_sim.aed.board import CabinetBoard

    uses = site.world.scenario.happenings(CabinetUse)
    for cabinet in cabinets:
        own = [use for use in uses if use.device == cabinet.device]
        device = CabinetBoard(
            lambda t, own=own: shown(own, t, site.clock.speed),  # type: ignore[misc]  # the default binds this cabinet's
            device=cabinet.device,
            gateway=cabinet.gateway,
            transport=cabinet.transport,
            world_time=site.clock.world,
            speed=site.clock.speed,
            faults=site.faults(cabinet.device),
            ledger=site.ledger,
        )
        await site.run(device)
        # What the timetable crowds together, a fast clock must not hide from the gateway.
        quick = 0.02 if site.clock.speed > 1 else 0.05
        site.add_section(
            cabinet.gateway,
            device.section(**site.who(cabinet), interval_s=quick, debounce_s=0.0, present_s=0.0),
        )
        site.list_device(cabinet, {"modbus": device.address})


def faults(_: Cabinet) -> FaultProfile:
    """Its cable is cut, its answers break, its contacts stick; it measures nothing."""
    return FaultProfile(
        "an AED cabinet",
        (),
        (*TCP_STYLES, *STATE_STYLES),
        state_styles=STATE_STYLES,
        timed_styles=("late",),
        without_effect={
            FaultKind.DRIFT: "it measures nothing that could drift",
            FaultKind.CLOCK_SKEW: "it has no clock",
        },
    )


def seed(scenario: Scenario, _relatives: Sequence[str], expires: str) -> list[SeedTable]:
    """The register: an AED in each cabinet. And the certificates of the demo's volunteers, who
    still consent and go on call by themselves."""
    cabinets = scenario.devices_of(AED.key)
    world = World(scenario, scenario.seed)
    found: list[SeedTable] = []
    for cabinet in cabinets:
        latitude, longitude = world.geographic(cabinet.at)
        keys = {
            "id": cabinet.device,
            "name": cabinet.name,
            "name_zh": cabinet.name_zh,
            "latitude": latitude,
            "longitude": longitude,
            "device": cabinet.device,
        }
        found.append(("aed_site", keys))
    if cabinets:
        found += [
            ("volunteer", {"username": one, "certificate_until": expires[:10]})
            for one in VOLUNTEERS
        ]
    return found


AED: Final = SimulatedDomain(
    key="aed",
    title="AED cabinets",
    title_zh="AED 箱",
    icon="⚡",
    device=Cabinet,
    start=start,
    faults=faults,
    ledger={
        "aed-press": "the button went down",
        "aed-taken": "the AED left its place",
    },
    happenings=(CabinetUse,),
    seed=seed,
    alert=NightAlert(moment="pressed"),
    journeys=(AED_JOURNEY,),
)
