"""A Bluetooth radio, through bleak: every advert that holds a beacon, and a watch over the scan."""

from __future__ import annotations

import asyncio
import importlib
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from vigil_edge.checkin import advertisement, bluez_recovery
from vigil_edge.checkin.advertisement import EddystoneTlm
from vigil_edge.checkin.errors import RadioBackendMissing, RadioFailed
from vigil_edge.checkin.fresh import Advertised, FreshAdverts
from vigil_edge.checkin.settings import BleSettings
from vigil_edge.checkin.track import Sighting, TagHealth
from vigil_edge.checkin.watchdog import Step, Watchdog
from vigil_edge.device.seam import PipelineContext

if TYPE_CHECKING:
    from bleak import BleakScanner
    from bleak.args.bluez import BlueZScannerArgs
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

QUEUE_LIMIT: Final = 20_000
_HEALTH_LIMIT: Final = 10_000
_START_S: Final = 20.0
_STOP_S: Final = 5.0
"""A bluetoothd that hangs answers neither; D-Bus itself waits for ever."""
_BACK_TRIES: Final = 15
_BACK_PAUSE_S: Final = 1.0
"""A restarted service is away for a moment."""
_FIRST_ADAPTER: Final = "hci0"
_COUNTERS: Final = {
    Step.SCAN: "ble-scan-restarted",
    Step.ADAPTER: "ble-adapter-cycled",
    Step.SERVICE: "ble-service-restarted",
}


class Radio:
    """Scans with one adapter until closed; ``take`` hands over what was heard since it was last
    called. ``watchdog`` decides when the silence is a fault, and ``watch`` what is done then.
    """

    def __init__(
        self, settings: BleSettings, context: PipelineContext, adapter: str | None = None
    ) -> None:
        self._settings = settings
        self._context = context
        self._adapter = adapter
        self._scanner: BleakScanner | None = None
        self._heard: deque[Sighting] = deque(maxlen=QUEUE_LIMIT)
        self.watchdog = Watchdog(settings.silence_s, heartbeat=settings.heartbeat is not None)
        self.heartbeat: float | None = None
        """When the station's own beacon was heard last, or the scan began."""
        self.refused: str | None = None
        """Why the last step of a recovery could not be taken."""
        self._fresh = FreshAdverts()
        self._health: OrderedDict[str, TagHealth] = OrderedDict()
        """What the last telemetry frame of an address said."""
        self.adverts = 0
        """All that were heard, beacons or not."""

    @property
    def name(self) -> str:
        """Of its adapter, for people."""
        return self._adapter or "the adapter"

    async def open(self) -> None:
        """Begin to scan. Raises ``SourceError``."""
        from bleak import BleakScanner
        from bleak.exc import BleakError

        settings = self._settings
        options: BlueZScannerArgs = {"filters": {"DuplicateData": True}}
        if self._adapter is not None:
            options["adapter"] = self._adapter
        try:
            self._scanner = BleakScanner(
                self._on_advert,
                bluez=options,
                backend=_backend(settings),
            )
            async with asyncio.timeout(_START_S):
                await self._know_the_past()
                await self._scanner.start()
        except TimeoutError as error:
            raise self._failed(f"no answer within {_START_S:g} s") from error
        except (BleakError, OSError, EOFError) as error:
            self._scanner = None
            raise self._failed(str(error) or type(error).__name__) from error
        moment = self._context.monotonic()
        self.watchdog.began(moment)
        if self.heartbeat is None:
            self.heartbeat = moment

    def take(self) -> list[Sighting]:
        """Oldest first."""
        taken = list(self._heard)
        self._heard.clear()
        return taken

    async def watch(self, *, others_hear: bool = False) -> bool:
        """Do what is due where it is silent; whether it delivers. Raises ``SourceError`` where a
        scan cannot be begun after all that may be tried."""
        moment = self._context.monotonic()
        step = self.watchdog.due(moment, others_hear=others_hear)
        if step is not None:
            step = min(step, self._furthest(), key=list(Step).index)
            await self._recover(step)
        return not self.watchdog.silent

    def _furthest(self) -> Step:
        return Step(self._settings.recover) if self._settings.backend == "bluez" else Step.SCAN

    async def _recover(self, step: Step) -> None:
        self._context.count(_COUNTERS[step])
        await self.close()
        self.refused = None
        try:
            if step is Step.ADAPTER:
                await bluez_recovery.cycle_adapter(self._adapter or _FIRST_ADAPTER)
            elif step is Step.SERVICE:
                await bluez_recovery.restart_service()
        except bluez_recovery.RecoveryRefused as error:
            self._context.count("ble-recovery-refused")
            self.refused = f"{step.value}: {error}"
        tries = _BACK_TRIES if step is Step.SERVICE else 1
        for left in reversed(range(tries)):
            try:
                await self.open()
                return
            except RadioFailed:
                # A stalled adapter may refuse a scan as well: the next step may mend that.
                if not left:
                    if step is self._furthest():
                        raise
                    self.watchdog.failed(self._context.monotonic())
            await asyncio.sleep(_BACK_PAUSE_S if left else 0)

    async def close(self) -> None:
        """Stop scanning; a radio that fails at that is given up."""
        from bleak.exc import BleakError

        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        try:
            async with asyncio.timeout(_STOP_S):
                await scanner.stop()
        except (BleakError, OSError, EOFError, TimeoutError):
            self._context.count("ble-stop-failed")

    async def _know_the_past(self) -> None:
        """BlueZ hands over what it remembers of a device with the first sign of it."""
        if self._settings.backend != "bluez":
            return
        from bleak.backends.bluezdbus.manager import get_global_bluez_manager

        manager = await get_global_bluez_manager()
        # bleak has no public way to this; without it the first change of a device that was
        # known before the scan would count as a sighting of whatever it advertised then.
        remembered = getattr(manager, "_properties", {})
        for path, interfaces in remembered.items():
            if "org.bluez.Device1" in interfaces:
                self._fresh.know(path, interfaces["org.bluez.Device1"])

    def _on_advert(self, device: BLEDevice, data: AdvertisementData) -> None:
        advertised, rssi = self._advertised(data), _strength(data.rssi)
        if not advertised and rssi is None:
            return  # its strength was withdrawn, as when a scan ends: the radio heard nothing
        self.adverts += 1
        moment = self._context.monotonic()
        for step in self.watchdog.heard(moment)[-1:]:
            self._context.count(f"ble-recovered-by-{step.value}")
        if advertised:  # else the signal strength changed: nobody said anything
            self._note(device, advertised, rssi, moment)

    def _note(
        self, device: BLEDevice, advertised: Advertised, rssi: float | None, moment: float
    ) -> None:
        """Every frame of one advert."""
        beacons = advertisement.from_advertisement(advertised.manufacturer, advertised.services)
        for beacon in beacons:
            if isinstance(beacon, EddystoneTlm):
                self._note_health(device.address, beacon)
        for beacon in beacons:
            if isinstance(beacon, EddystoneTlm):
                continue
            if self._is_heartbeat(beacon.tag):
                self.heartbeat = moment
                continue
            if not self._settings.allows(beacon.tag):
                continue
            if len(self._heard) == QUEUE_LIMIT:
                self._context.count("adverts-dropped")
            health = self._health.get(device.address)
            self._heard.append(Sighting(beacon.tag, self._context.now(), rssi, health=health))

    def _is_heartbeat(self, tag: str) -> bool:
        heartbeat = self._settings.heartbeat
        return heartbeat is not None and tag.startswith(heartbeat)

    @staticmethod
    def _is_bluez(data: AdvertisementData) -> bool:
        return len(data.platform_data) == 2 and isinstance(data.platform_data[1], dict)

    def _advertised(self, data: AdvertisementData) -> Advertised:
        if self._is_bluez(data):
            return self._fresh.of(*data.platform_data)
        return Advertised(data.manufacturer_data, data.service_data)

    def _note_health(self, address: str, frame: EddystoneTlm) -> None:
        self._health[address] = TagHealth(frame.battery_mv, frame.temperature_c)
        self._health.move_to_end(address)
        if len(self._health) > _HEALTH_LIMIT:
            self._health.popitem(last=False)

    def _failed(self, reason: str) -> RadioFailed:
        return RadioFailed(
            self._settings.device,
            f"cannot scan: {reason}; is bluetoothd running, and the adapter powered?",
        )


def _strength(rssi: int) -> float | None:
    """dBm; BlueZ states 127, bleak -127 and some adapters 0 where they know none."""
    return float(rssi) if -127 < rssi <= 20 and rssi != 0 else None


def _backend(settings: BleSettings) -> type[BaseBleakScanner] | None:
    """``None`` lets bleak choose BlueZ."""
    if settings.backend == "bluez":
        return None
    module, _, name = settings.backend.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        reason = f"cannot be loaded: {error}"
        raise RadioBackendMissing(settings.device, settings.backend, reason) from error
    if not isinstance(found, type):
        raise RadioBackendMissing(settings.device, settings.backend, "is not a class")
    return found
