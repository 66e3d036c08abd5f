"""One noise camera's street: its microphones and its cameras on one clock."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import numpy as np

from vigil_sim.clock import CityClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.noise.clock import StreetClock
from vigil_sim.noise.film import Film, Shot
from vigil_sim.noise.microphone import Microphone
from vigil_sim.noise.mjpeg import Camera
from vigil_sim.noise.propagation import SPEED_OF_SOUND
from vigil_sim.noise.scenario import NoiseCamera, Passage, passages
from vigil_sim.noise.sound import StreetSound, Vehicle, passage
from vigil_sim.noise.vehicle import MICROPHONE_CENTRE, SAMPLE_RATE, TETRAHEDRON, microphone_array
from vigil_sim.noise.view import View
from vigil_sim.noise.weather import Weather, WeatherStation
from vigil_sim.world import World

_ALIGNED: Final = {"delay_s": 0.1, "delay_within_s": 0.1}
"""As ``noise align`` would find it: a picture is drawn, packed and sent within so long, and its
camera tells the time by the microphone's clock."""


def vehicle(happening: Passage, world: World) -> Vehicle:
    """What is to be heard of a scheduled passage."""
    return Vehicle(
        kind=happening.vehicle,
        speed_m_s=happening.speed_km_h / 3.6,
        rpm=happening.rpm,
        LAFmax_db=happening.LAFmax_db,
        away=happening.direction == "away",
        seed=world.random("passage", happening.device, happening.plate).getrandbits(48),
    )


def shot(happening: Passage, world: World, nearest_at: float) -> Shot:
    """What is to be seen of it; nearest at this second of the street's clock."""
    return Shot(
        kind=happening.vehicle,
        motion=vehicle(happening, world).motion,
        plate=happening.plate,
        nearest_at=nearest_at,
        colour=happening.colour,
    )


class Street:
    """Microphones and cameras as one device: the same vehicles at the same moments."""

    def __init__(
        self,
        settings: NoiseCamera,
        world: World,
        city: CityClock,
        faults: Faults,
        ledger: Ledger,
    ) -> None:
        self._settings = settings
        self._world = world
        self._city = city
        self._faults = faults
        self._ledger = ledger
        self._passing: list[asyncio.TimerHandle] = []
        self._clock = StreetClock()
        self._passages = passages(world.scenario, settings.device)
        self._rendered: list[Any] = []
        self._station = _station(settings)
        self.plate_film: Film | None = None
        self._plate_camera: Camera | None = None

    def render(self) -> None:
        """Prepare all that can be prepared: background, passages, scenery. Takes seconds."""
        settings = self._settings
        self.sound = StreetSound(
            channels=settings.channels,
            full_scale_peak_db=settings.full_scale_peak_db,
            background_db=settings.background_db,
            seed=self._world.random("background", settings.device).getrandbits(48),
        )
        self._rendered = [
            passage(vehicle(each, self._world), settings.channels) for each in self._passages
        ]
        seed = self._world.random("scenery", settings.device).getrandbits(31)
        label = settings.device if settings.stamp else ""
        self.film = Film(View(settings.width, settings.height), seed, label)
        if (near := settings.plate_camera) is not None:
            view = View.on_plates(near.width, near.height, near.distance_m, near.across_m)
            self.plate_film = Film(view, seed, label)

    async def start(self) -> None:
        """Listen on two free ports."""
        self._microphone = Microphone(
            self.sound, self._clock, world_time=self._city.world, faults=self._faults
        )
        self._camera = Camera(
            self.film,
            self._clock,
            fps=self._settings.fps,
            world_time=self._city.world,
            faults=self._faults,
        )
        await self._microphone.start()
        await self._camera.start()
        if self.plate_film is not None and self._settings.plate_camera is not None:
            self._plate_camera = Camera(
                self.plate_film,
                self._clock,
                fps=self._settings.plate_camera.fps,
                world_time=self._city.world,
                faults=self._faults,
            )
            await self._plate_camera.start()
        if self._station is not None:
            await self._station.start()

    async def stop(self) -> None:
        """Close all ports; a vehicle that is still to come does not."""
        for timer in self._passing:
            timer.cancel()
        if self._plate_camera is not None:
            await self._plate_camera.stop()
        await self._camera.stop()
        await self._microphone.stop()
        if self._station is not None:
            await self._station.stop()

    def schedule(self, city: CityClock) -> None:
        """Once the night has begun: give every passage its moment."""
        for happening, pressure in zip(self._passages, self._rendered, strict=True):
            nearest = self._clock.at_monotonic(city.monotonic_at(happening.at_s))
            self.sound.add(round(nearest * SAMPLE_RATE), pressure)
            seen = shot(happening, self._world, nearest)
            self.film.add(seen)
            if self.plate_film is not None:
                self.plate_film.add(seen)
            delay_s = max(nearest - self._clock.now(), 0.0)
            loop = asyncio.get_running_loop()
            self._passing.append(loop.call_later(delay_s, self._note, happening, nearest))
        self._rendered = []

    def _note(self, happening: Passage, nearest: float) -> None:
        """A vehicle is nearest to the microphone now."""
        gateway, device = self._settings.gateway, self._settings.device
        time_us = round(self._clock.unix(nearest) * 1e6)
        level = happening.LAFmax_db
        self._ledger.append("passage", gateway, device, "LAFmax", time_us, level, happening.plate)

    @property
    def audio_address(self) -> str:
        """``tcp://host:port``."""
        return self._microphone.address

    @property
    def camera_address(self) -> str:
        """The MJPEG stream's URL."""
        return self._camera.address

    @property
    def addresses(self) -> dict[str, str]:
        """Where each of its streams is."""
        found = {"audio": self.audio_address, "camera": self.camera_address}
        if self._plate_camera is not None:
            found["plate_camera"] = self._plate_camera.address
        return found

    def section(self) -> dict[str, Any]:
        """This camera's part of its ``[[noise]]`` table."""
        settings = self._settings
        camera: dict[str, Any] = {"source": "mjpeg", "address": self.camera_address}
        camera |= {"fps": settings.fps, **_ALIGNED}
        whole = settings.channels == TETRAHEDRON
        if whole or self._plate_camera is not None:
            camera["view"] = view_section(self.film.view)
        return {
            "threshold_db": settings.threshold_db,
            "before_s": 3.0,
            "after_s": 3.0,
            "audio": {
                "source": "pcm",
                "address": self.audio_address,
                "format": f"s16le:{SAMPLE_RATE}:{settings.channels}",
                "channel": 0,
                "full_scale_peak_db": settings.full_scale_peak_db,
            },
            "camera": camera,
            **self._plate_section(),
            **({"array": array_section()} if whole else {}),
            **({"weather": self._station.section()} if self._station is not None else {}),
        }

    def _plate_section(self) -> dict[str, Any]:
        settings = self._settings.plate_camera
        if settings is None or self._plate_camera is None or self.plate_film is None:
            return {}
        address = self._plate_camera.address
        camera = {"source": "mjpeg", "address": address, "fps": settings.fps, **_ALIGNED}
        return {"plate_camera": camera | {"view": view_section(self.plate_film.view)}}


def _station(settings: NoiseCamera) -> WeatherStation | None:
    if settings.weather is None:
        return None
    station = WeatherStation()
    now = settings.weather
    station.weather = Weather(now.gust_m_s, now.rain_mm_h, 0.0, now.temperature_c)
    return station


def array_section() -> dict[str, Any]:
    """Where the microphones are about their middle."""
    positions = microphone_array() - MICROPHONE_CENTRE
    return {
        "positions": np.round(positions, 5).tolist(),
        "speed_of_sound": SPEED_OF_SOUND,
    }


def view_section(view: View) -> dict[str, Any]:
    """The camera as the array sees it."""
    position = np.asarray(view.position) - MICROPHONE_CENTRE
    return {
        "position": np.round(position, 3).tolist(),
        "azimuth": view.yaw_deg,
        "pitch": view.pitch_deg,
        "field": view.field_deg,
        "road_z": -float(MICROPHONE_CENTRE[2]),
    }
