"""Water sondes in the simulated city: one canal, and probes along it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from vigil_sim.domain import (
    Commands,
    ExtraTable,
    LoadScenario,
    NightAlert,
    SimulatedDomain,
)
from vigil_sim.fault_rules import FaultProfile
from vigil_sim.faults import FaultKind
from vigil_sim.modbus.broken import TCP_STYLES
from vigil_sim.site import Site
from vigil_sim.water.journey import WATER_JOURNEY
from vigil_sim.water.scenario import Canal, Discharge, Sonde
from vigil_sim.water.sonde_map import HIGH, LOW, SIGNALS, bounds, values
from vigil_sim.water.waterways import seed


async def start(site: Site, sondes: Sequence[Sonde]) -> None:
    """Run each sonde in the water at its place of the canal."""
    if not sondes:
        return
    from vigil_sim.water.canal import Reach  # scipy only where there is water
    from vigil_sim.water.device import ModbusSonde

    reach = Reach(site.world)
    for sonde in sondes:
        device = ModbusSonde(
            lambda t, metres=sonde.canal_m: values(reach.water(metres, t)),  # type: ignore[misc]  # the default binds this sonde's place
            SIGNALS,
            device=sonde.device,
            gateway=sonde.gateway,
            mode=sonde.mode,
            interval_s=max(sonde.interval_s / site.clock.speed, 0.2),
            world_time=site.clock.world,
            speed=site.clock.speed,
            faults=site.faults(sonde.device),
            ledger=site.ledger,
        )
        await site.run(device)
        site.add_section(sonde.gateway, bounds(device.section(**site.who(sonde)), HIGH, LOW))
        site.list_device(sonde, {"modbus": device.address})


def faults(sonde: Sonde) -> FaultProfile:
    """Any of its values drifts; a polled sonde has no clock that could be wrong."""
    no_clock = {FaultKind.CLOCK_SKEW: "it has no clock; one with mode = 'logger' has"}
    return FaultProfile(
        f"a sonde with mode = {sonde.mode!r}",
        tuple(signal.name for signal in SIGNALS),
        TCP_STYLES,
        timed_styles=("late",),
        without_effect=no_clock if sonde.mode == "poll" else {},
    )


def add_commands(commands: Commands[argparse.ArgumentParser], _: LoadScenario) -> None:
    """``fleet``."""
    from vigil_sim.water.fleet import add_command

    add_command(commands)


WATER: Final = SimulatedDomain(
    key="water",
    title="Water sondes",
    title_zh="水質監測",
    icon="💧",
    device=Sonde,
    start=start,
    faults=faults,
    ledger={
        "sample": "one value measured by a polled sonde",
        "reading": "one value that a logger keeps until it is acknowledged",
        "excursion-onset": "a value of the fleet's sondes rose above its bound",
        "excursion-end": "and came back",
    },
    happenings=(Discharge,),
    tables={"canal": ExtraTable(kind=Canal, default=Canal())},
    seed=seed,
    alert=NightAlert(moment="started", readings=True),
    add_commands=add_commands,
    journeys=(WATER_JOURNEY,),
)
