"""Smoke alarms in the simulated city: one Zigbee2MQTT for each gateway's homes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vigil_sim.domain import ExtraTable, NightAlert, SeedTable, SimulatedDomain
from vigil_sim.fault_rules import FaultProfile
from vigil_sim.scenario_model import Scenario
from vigil_sim.site import Site
from vigil_sim.smoke.alarm import CHANCE_STYLES, STATE_STYLES, ZigbeeAlarm
from vigil_sim.smoke.fire import fires, obscuration
from vigil_sim.smoke.journey import FIRE_JOURNEY
from vigil_sim.smoke.scenario import Fire, Home, HomeAlarm


async def start(site: Site, alarms: Sequence[HomeAlarm]) -> None:
    """Run a broker and its bridge for each gateway that has alarms."""
    for gateway in dict.fromkeys(alarm.gateway for alarm in alarms):
        await _start_home(site, gateway, [each for each in alarms if each.gateway == gateway])


async def _start_home(site: Site, gateway: str, alarms: Sequence[HomeAlarm]) -> None:
    from vigil_sim.smoke.device import Zigbee2MqttHome  # a broker only where there is an alarm

    home = Zigbee2MqttHome(
        [_zigbee(site, alarm, number) for number, alarm in enumerate(alarms, start=1)],
        gateway=gateway,
        world_time=site.clock.world,
        speed=site.clock.speed,
        ledger=site.ledger,
    )
    await site.run(home)
    site.add_section(gateway, home.section())
    for alarm in alarms:
        site.list_device(alarm, {"mqtt": home.broker})


def _zigbee(site: Site, alarm: HomeAlarm, number: int) -> ZigbeeAlarm:
    who = site.who(alarm)
    burning = fires(site.world.scenario, alarm.device)
    return ZigbeeAlarm(
        alarm.friendly_name,
        alarm.device,
        lambda t: obscuration(burning, t),
        ieee_address=f"0x00158d00{number:08x}",
        threshold=alarm.threshold,
        faults=site.faults(alarm.device),
        name=who["name"],
        name_zh=who["name_zh"],
        latitude=who["latitude"],
        longitude=who["longitude"],
        dialect=alarm.dialect,
    )


def faults(_: HomeAlarm) -> FaultProfile:
    """Its battery and its chamber drift; it can stick, or lose its link."""
    return FaultProfile(
        "a smoke alarm",
        ("battery", "obscuration"),
        (*CHANCE_STYLES, *STATE_STYLES),
        state_styles=STATE_STYLES,
    )


def seed(scenario: Scenario, _relatives: Sequence[str], _expires: str) -> list[SeedTable]:
    """Homes, their alarms and who lives there."""
    found: list[SeedTable] = []
    for home in scenario.tables("home", Home):
        described = {"key": home.key, "name": home.name, "address": home.address}
        found.append(("household", {**described, "devices": list(home.alarms)}))
        found += [
            ("member", {"household": home.key, "account": account, "relation": relation})
            for relation, accounts in (("resident", home.residents), ("contact", home.neighbours))
            for account in accounts
        ]
    return found


def residents(scenario: Scenario) -> set[str]:
    """Who lives in its homes: a fire at home rings in the pocket."""
    return {name for home in scenario.tables("home", Home) for name in home.residents}


SMOKE: Final = SimulatedDomain(
    key="smoke",
    title="Smoke alarms",
    title_zh="住警器",
    icon="🔥",
    device=HomeAlarm,
    start=start,
    faults=faults,
    ledger={"smoke": "a condition of an alarm changed; the parameter names it, 1 is on"},
    happenings=(Fire,),
    tables={"home": ExtraTable(kind=Home, default=())},
    seed=seed,
    phones=residents,
    alert=NightAlert(moment="since"),
    journeys=(FIRE_JOURNEY,),
)
