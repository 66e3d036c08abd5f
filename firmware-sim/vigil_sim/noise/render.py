"""One passage of a scenario as files: a WAV to measure and frames to look at."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

from vigil_sim.noise.film import Film
from vigil_sim.noise.scenario import NoiseCamera, Passage
from vigil_sim.noise.sound import HEARD_S, StreetSound, passage
from vigil_sim.noise.street import shot, vehicle
from vigil_sim.noise.vehicle import SAMPLE_RATE
from vigil_sim.noise.view import View
from vigil_sim.scenario_model import Scenario, ScenarioError
from vigil_sim.world import World


def render(
    scenario: Scenario, wanted: str | None, wav: Path | None, frames: Path | None
) -> dict[str, Any]:
    """Write what was asked for; returns what a meter should find. Raises ``ScenarioError``."""
    world = World(scenario, scenario.seed)
    happening = _choose(scenario.happenings(Passage), wanted)
    camera = next(c for c in scenario.tables("noise", NoiseCamera) if c.device == happening.device)
    if wav is not None:
        sound = StreetSound(
            channels=camera.channels,
            full_scale_peak_db=camera.full_scale_peak_db,
            background_db=camera.background_db,
            seed=world.random("background", camera.device).getrandbits(48),
        )
        middle = round(HEARD_S * SAMPLE_RATE)
        sound.add(middle, passage(vehicle(happening, world), camera.channels))
        with wave.open(str(wav), "wb") as file:
            file.setnchannels(camera.channels)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(sound.block(0, 2 * middle))
    count = 0
    if frames is not None:
        frames.mkdir(parents=True, exist_ok=True)
        seed = world.random("scenery", camera.device).getrandbits(31)
        film = Film(View(camera.width, camera.height), seed, camera.device if camera.stamp else "")
        film.add(shot(happening, world, HEARD_S))
        for count in range(1, round(2 * HEARD_S * camera.fps) + 1):
            t = (count - 1) / camera.fps
            (frames / f"{count - 1:04d}.jpg").write_bytes(film.jpeg(t, t))
    return {
        "kind": "rendered",
        "plate": happening.plate,
        "LAFmax": happening.LAFmax_db,
        "nearest_s": HEARD_S,
        "full_scale_peak_db": camera.full_scale_peak_db,
        "frames": count,
    }


def _choose(passages: list[Passage], wanted: str | None) -> Passage:
    if wanted is None and passages:
        return max(passages, key=lambda each: each.LAFmax_db)
    for each in passages:
        if wanted in (each.label, each.plate):
            return each
    known = ", ".join(sorted(f"{each.title} ({each.plate})" for each in passages)) or "none"
    raise ScenarioError(f"no passage {wanted!r}; the scenario has: {known}")
