"""Noise cameras in the simulated city."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vigil_sim.domain import Commands, LoadScenario, NightAlert, SeedTable, SimulatedDomain
from vigil_sim.fault_rules import FaultProfile
from vigil_sim.noise.journey import NOISE_JOURNEY
from vigil_sim.noise.scenario import NoiseCamera, Passage
from vigil_sim.scenario_model import Scenario
from vigil_sim.site import Site
from vigil_sim.world import World


async def start(site: Site, cameras: Sequence[NoiseCamera]) -> None:
    """Render and run each camera's street."""
    from vigil_sim.noise.street import Street  # numpy and OpenCV only where a street is drawn

    for camera in cameras:
        street = Street(camera, site.world, site.clock, site.faults(camera.device), site.ledger)
        # Rendering sounds and scenery takes a few seconds of processor time.
        await asyncio.to_thread(street.render)
        await site.run(street)
        site.at_beginning(street.schedule)
        site.add_section(camera.gateway, site.who(camera) | street.section())
        site.list_device(camera, street.addresses)


def faults(_: NoiseCamera) -> FaultProfile:
    """Its microphone's gain drifts; what is sent broken is broken in one way."""
    return FaultProfile("a noise camera", ("gain",))


_CERTIFICATES: Final = ("verification", "comparison", "calibration")
_FIRST: Final = "2020-01-01"
_LAST: Final = "2099-12-31"


def seed(scenario: Scenario, _relatives: Sequence[str], _expires: str) -> list[SeedTable]:
    """The register that a simulated street's measurements are judged by: each camera at a crossing
    of its own, with certificates that hold whenever the city is played."""
    penalties = [
        {"over_db": 0.0, "amount_twd": 1800},
        {"over_db": 5.0, "amount_twd": 2700},
        {"over_db": 10.0, "amount_twd": 3600},
    ]
    basis = "simulated"
    rules = {"valid_from": _FIRST, "penalties": penalties, "basis": basis}
    found: list[SeedTable] = [("noise_rules", rules)]
    for camera in scenario.devices_of("noise"):
        latitude, longitude = World(scenario, 0).geographic(camera.at)
        serial = f"SIM-{camera.device}"
        place = {"id": camera.device, "name": camera.name, "name_zh": camera.name_zh}
        road = {"intersection": camera.device, "valid_from": _FIRST, "sign_distance_m": 120.0}
        found += [
            ("noise_intersection", {**place, "latitude": latitude, "longitude": longitude}),
            ("noise_road", {**road, "basis": basis, "limits": [{"limit_db": 86.0}]}),
            ("noise_instrument", {"serial": serial, "maker": "Vigil", "model": "simulated"}),
        ]
        for kind in _CERTIFICATES:
            certificate = {"instrument": serial, "kind": kind, "number": f"SIM-{kind}"}
            dates = {"valid_from": _FIRST, "valid_until": _LAST}
            found.append(("noise_certificate", {**certificate, "issuer": basis, **dates}))
        stands = {"device": camera.device, "since": f"{_FIRST}T00:00:00Z"}
        placement = {**stands, "intersection": camera.device, "instrument": serial}
        found.append(("noise_placement", placement))
    return found


def add_commands(commands: Commands[argparse.ArgumentParser], load: LoadScenario) -> None:
    """``render-noise``."""
    render = commands.add_parser(
        "render-noise", help="write one passage as a sound file and frames"
    )
    render.add_argument("--scenario", default="city-night")
    render.add_argument("--passage", help="label or plate; by default the loudest")
    render.add_argument("--out", type=Path, help="a 16-bit WAV file")
    render.add_argument("--frames", type=Path, help="a folder for JPEG frames")
    render.set_defaults(run=lambda parsed: _render(parsed, load))


def _render(parsed: argparse.Namespace, load: LoadScenario) -> int:
    from vigil_sim.noise.render import render

    facts = render(load(parsed.scenario), parsed.passage, parsed.out, parsed.frames)
    print(json.dumps(facts, ensure_ascii=False))  # noqa: T201 - a command line prints
    return 0


NOISE: Final = SimulatedDomain(
    key="noise",
    title="Noise cameras",
    title_zh="聲音照相",
    icon="🔊",
    device=NoiseCamera,
    start=start,
    faults=faults,
    ledger={"passage": "a vehicle was nearest to the microphone; LAFmax there, dB; its plate"},
    happenings=(Passage,),
    alert=NightAlert(
        moment="LAFmax_time",
        evidence=frozenset({"audio", "video", "plate", "levels"}),
        readings=True,
    ),
    seed=seed,
    add_commands=add_commands,
    journeys=(NOISE_JOURNEY,),
)
