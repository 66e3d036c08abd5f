"""What people of the demo do beside the cloud's API: boxes that lose their power, pages that need
no account, phones that show something, and errands that take longer than one act."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import httpx

from vigil_sim.demo.night import Console
from vigil_sim.demo.processes import Children, DemoFailed, program
from vigil_sim.domain import Errand
from vigil_sim.push.service import Told
from vigil_sim.scenario import CityScenario

EVERY_S: Final = 1.0
HOUR_S: Final = 3600.0
"""Of the city's time: a host is told after so long (``station_silent_after_s``)."""
OFFLINE_S: Final = 60.0
"""Of the demo's cloud: a gateway that is not heard for so long is offline."""
_ERRAND_S: Final = 240.0
"""What an errand may take beside the hour that it waits for."""


class _Box(NamedTuple):
    """A gateway as it is started."""

    command: list[str]
    environment: dict[str, str]


class _UnderWay(NamedTuple):
    what: str
    steps: Iterator[str | None]
    deadline: float


class Outside:
    """Gateways of the demo, and what people do with them; an ``Around``. ``rate``: world seconds in
    one of ours."""

    def __init__(
        self,
        scenario: CityScenario,
        children: Children,
        sign_in: Callable[[str], Console],
        told: Callable[[], list[Told]],
        rate: float,
    ) -> None:
        self._scenario = scenario
        self._children = children
        self._sign_in = sign_in
        self._told = told
        self._rate = rate
        self._boxes: dict[str, _Box] = {}
        self._errands: list[_UnderWay] = []
        self._looked = 0.0

    @property
    def hour_s(self) -> float:
        """An hour of the city in seconds of ours."""
        return max(HOUR_S / self._rate, 1.0)

    def environment(self) -> dict[str, str]:
        """Settings of the cloud that follow the city's time."""
        return {
            "VIGIL_STATION_SILENT_AFTER_S": f"{self.hour_s:g}",
            "VIGIL_OFFLINE_AFTER_S": f"{OFFLINE_S:g}",
        }

    def start(self, gateway: str, configuration: str, environment: Mapping[str, str]) -> None:
        """Its box is plugged in for the first time."""
        command = [program("vigil-edge"), "run", "--config", configuration]
        self._boxes[gateway] = _Box(command, dict(environment))
        self.plug_in(gateway)

    # -- what an errand is given

    @property
    def scenario(self) -> CityScenario:
        """What is played."""
        return self._scenario

    def sign_in(self, username: str) -> Console:
        """An account's own session."""
        return self._sign_in(username)

    def page(self, address: str) -> str:
        """As a browser without an account gets it, in English. Raises ``DemoFailed``."""
        answer = httpx.get(address, params={"lang": "en"}, timeout=15, follow_redirects=True)
        if not answer.is_success:
            raise DemoFailed(f"GET {address}: {answer.status_code}")
        return answer.text

    def shown(self, username: str) -> list[str]:
        """Titles of what the phone of this account has shown, oldest first."""
        told = [one for one in self._told() if one.path.rpartition("/")[2] == username]
        return [str(one.note.get("title", "")) for one in told]

    def unplug(self, gateway: str) -> None:
        """It ends as a pulled plug ends it: with no word of farewell."""
        self._children.kill(gateway)

    def plug_in(self, gateway: str) -> None:
        """It starts as it does after a power cut."""
        box = self._boxes[gateway]
        self._children.start(gateway, box.command, environment=box.environment)

    # -- errands

    def begin(self, what: str, errand: Errand, said: Mapping[str, Any]) -> None:
        """From now on."""
        deadline = time.monotonic() + self.hour_s + _ERRAND_S
        self._errands.append(_UnderWay(what, errand(said, self), deadline))

    @property
    def under_way(self) -> list[str]:
        """Errands that have not ended."""
        return [one.what for one in self._errands]

    def follow(self) -> list[str]:
        """Each errand's next step, about once a second; what is to be said. One that takes too long
        is said to have, and given up. Raises what an errand raises."""
        now = time.monotonic()
        if now - self._looked < EVERY_S:
            return []
        self._looked = now
        found: list[str] = []
        going_on: list[_UnderWay] = []
        for one in self._errands:
            try:
                said = next(one.steps)
            except StopIteration:
                continue
            except httpx.TransportError as error:  # its generator has ended with it
                found.append(f"{one.what}: given up, the cloud did not answer ({error})")
                continue
            if now > one.deadline:
                found.append(f"{one.what}: what follows has not happened")
                continue
            found += [] if said is None else [said]
            going_on.append(one)
        self._errands = going_on
        return found
