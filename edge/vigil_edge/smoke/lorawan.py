"""Frames of LoRaWAN smoke alarms: Milesight GS524N, TG563A, Netvox RA02A and RA02C. Pure.

Sources: the manufacturers' payload definitions (Milesight SensorDecoders, GS524N; TG563A Technical
Reference Manual SE000304A; Netvox LoRaWAN Application Command, RA02A), with their public vectors
in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from vigil_edge.smoke.errors import FrameMalformed
from vigil_edge.smoke.report import AlarmReport

Decoder = Callable[[bytes, int | None], AlarmReport]
"""A frame and its fPort (``None`` where it is not known). Raises ``FrameMalformed``."""

_HEX: Final = re.compile(r"(?:0x)?(?:[0-9a-f]{2}[\s:,-]*)+", re.IGNORECASE)
_LONGEST: Final = 1024


def from_hexadecimal(text: str) -> bytes:
    """``221E64001C40``, also with ``0x``, blanks or colons. Raises ``FrameMalformed``."""
    text = text.strip()
    if len(text) > _LONGEST or not _HEX.fullmatch(text):
        raise FrameMalformed(f"{text[:40]!r} is not pairs of hexadecimal digits")
    text = text.lower().removeprefix("0x")
    return bytes.fromhex(re.sub(r"[^0-9a-f]", "", text))


# -- Milesight GS524N

_ALARM: Final = 1
_SILENT: Final = 2
_LOW_BATTERY: Final = 4
_FAULT: Final = 5
_NORMAL: Final = 7
_REMOVED: Final = 10
_INSTALLED: Final = 11
_TEST: Final = 14
_TEST_LOW_BATTERY: Final = 15
GS524N_MESSAGES: Final[Mapping[str, int]] = {
    "alarm": _ALARM,
    "silent": _SILENT,
    "low battery": _LOW_BATTERY,
    "failover": _FAULT,
    "normal": _NORMAL,
    "removed": _REMOVED,
    "installed": _INSTALLED,
    "testing alarm with normal battery": _TEST,
    "testing alarm with low battery": _TEST_LOW_BATTERY,
}
"""As the manufacturer's decoder names them in ChirpStack's ``object``."""
_SMOKE_SENSOR: Final = 1
_GS524N_BYTES: Final = 6
_MOST: Final = 1e9
"""The contract's own bound of what an alarm measures."""


def gs524n(frame: bytes, _port: int | None = None) -> AlarmReport:
    """Six bytes that sum to 0; the port can be set on the device, and tells nothing."""
    message = frame[1] & 0x0F if len(frame) > 1 else 0
    burns = message in (_ALARM, _SILENT)
    if len(frame) != _GS524N_BYTES:
        raise _of_another_length(frame, may_be_fire=burns and frame[1] >> 4 == _SMOKE_SENSOR)
    if sum(frame) % 256:
        said = f"checksum wrong: the six bytes {frame.hex()} sum to {sum(frame) % 256}, not to 0"
        raise FrameMalformed(said, may_be_fire=burns)
    if frame[1] >> 4 != _SMOKE_SENSOR:
        raise FrameMalformed(f"sensor type {frame[1] >> 4} is no smoke alarm (1)")
    return gs524n_message(
        message,
        battery=frame[2],
        density=frame[3],
        temperature=int.from_bytes(frame[4:5], signed=True),
    )


def _of_another_length(frame: bytes, *, may_be_fire: bool) -> FrameMalformed:
    """A frame of a firmware that nobody has described, or an answer to a setting: a fire is told of
    it, and an end of one is not."""
    begin = frame[:_GS524N_BYTES]
    whole = may_be_fire and len(begin) == _GS524N_BYTES and sum(begin) % 256 == 0
    return FrameMalformed(
        f"a GS524N sends {_GS524N_BYTES} bytes, not {len(frame)} ({frame[:16].hex()})",
        may_be_fire=may_be_fire,
        whole=gs524n(begin) if whole else None,
    )


def gs524n_message(
    message: int, *, battery: float | None, density: float | None, temperature: float | None = None
) -> AlarmReport:
    """What a message type means. It has room for one thing alone: of smoke, a "low battery" tells
    by its concentration only, and that there is none ends an alarm."""
    known = message in GS524N_MESSAGES.values()
    clear = message == _NORMAL or (known and density == 0)
    smoke = True if message in (_ALARM, _SILENT) else False if clear else None
    low = {_LOW_BATTERY: True, _TEST_LOW_BATTERY: True, _TEST: False, _NORMAL: False}.get(message)
    percent = battery if battery is not None and 0 <= battery <= 100 else None
    if percent is not None and float(percent).is_integer():
        percent = int(percent)
    doubtful = not known
    told, shown = (density, temperature), (_stated(density), _stated(temperature))
    unreadable = [
        *(("smoke",) if doubtful else ()),
        *(() if battery is None or percent is not None else ("battery",)),
        *(("measure",) if told != shown else ()),
    ]
    return AlarmReport(
        smoke=None if doubtful else smoke,
        doubtful=("smoke",) if doubtful else (),
        raw=f"message type {message}" if doubtful else None,
        test=message in (_TEST, _TEST_LOW_BATTERY),
        fault={_FAULT: True, _NORMAL: False}.get(message),
        tamper={_REMOVED: True, _INSTALLED: False, _NORMAL: False}.get(message),
        muted={_SILENT: True, _ALARM: False, _NORMAL: False}.get(message),
        battery_low=low,
        battery_percent=percent,
        smoke_density=shown[0],
        temperature=shown[1],
        has_fire_key=smoke is not None,
        plainly_fire=True,
        unreadable=tuple(unreadable),
    )


def _stated(value: float | None) -> float | None:
    """What is measured; ``None`` of what no event holds (``1e999`` of a decoder): an alarm is not
    lost for it."""
    return value if value is not None and abs(value) <= _MOST else None


# -- TG563A

_TG563A_PORT: Final = 1
_TG563A_SHORT: Final = 5
_TG563A_LONG: Final = 35
_ADDITIONAL: Final = 15


def tg563a(frame: bytes, port: int | None = None) -> AlarmReport:
    """Five bytes, or 35 where it adds what it has counted."""
    if port not in (None, _TG563A_PORT):
        raise FrameMalformed(f"a TG563A sends on fPort {_TG563A_PORT}, not {port}")
    kind = frame[0] & 0x0F if frame else None
    if len(frame) != _TG563A_SHORT and not (len(frame) == _TG563A_LONG and kind == _ADDITIONAL):
        burns = len(frame) > _TG563A_SHORT - 1 and bool(frame[4] & 0x01)
        said = f"a TG563A sends 5 bytes, or 35 of message type 15, not {len(frame)}"
        raise FrameMalformed(said, may_be_fire=burns)
    site, state = frame[3], frame[4]
    return tg563a_status(
        smoke=bool(state & 0x01),
        battery_low=bool(state & 0x02),
        # Chamber, ultrasonic and infrared sensor, buzzer; air inlet covered: it smells nothing.
        fault=bool(state & 0b0111_0100 or site & 0x20),
        fouled=bool(state & 0x08),
        mounted=bool(site & 0x01),
    )


def tg563a_status(
    *,
    smoke: bool,
    battery_low: bool | None,
    fault: bool | None,
    fouled: bool | None,
    mounted: bool | None,
) -> AlarmReport:
    """Its status bits; its battery is told in volts, which are no percentage."""
    return AlarmReport(
        smoke=smoke,
        battery_low=battery_low,
        fault=fault,
        contaminated=fouled,
        tamper=None if mounted is None else not mounted,
        has_fire_key=True,
        plainly_fire=True,
    )


# -- Netvox RA02A, and RA02C for carbon monoxide

_STATUS_PORT: Final = 6
_CONFIGURATION_PORT: Final = 7
_NETVOX_BYTES: Final = 11
_RA02A: Final = 0x0A
_RA02C: Final = 0x11
_VERSION: Final = 0
_STATUS: Final = 1


def ra02a(frame: bytes, port: int | None = None) -> AlarmReport:
    """Eleven bytes. Its answers to settings (port 7, first byte from 0x81) say nothing of it."""
    if port not in (None, _STATUS_PORT, _CONFIGURATION_PORT):
        raise FrameMalformed(
            f"an RA02A sends on fPort {_STATUS_PORT} and {_CONFIGURATION_PORT}, not {port}"
        )
    if len(frame) != _NETVOX_BYTES:
        burns = len(frame) > 5 and frame[2] == _STATUS and bool(frame[4] or frame[5])
        raise FrameMalformed(f"an RA02A sends 11 bytes, not {len(frame)}", may_be_fire=burns)
    device = frame[1]
    if device not in (_RA02A, _RA02C):
        raise FrameMalformed(f"device type 0x{device:02x} is no RA02A (0x0a) and no RA02C (0x11)")
    if port == _CONFIGURATION_PORT or frame[0] & 0x80:
        return AlarmReport()
    if frame[2] == _VERSION:
        return AlarmReport()
    if frame[2] != _STATUS:
        raise FrameMalformed(f"report type {frame[2]} of an RA02A is not known")
    burns, hot = bool(frame[4]), bool(frame[5])
    return AlarmReport(
        smoke=burns if device == _RA02A else None,
        co=burns if device == _RA02C else None,
        heat=hot,
        battery_low=bool(frame[3] & 0x80),
        has_fire_key=True,
        plainly_fire=True,
    )


DECODERS: Final[Mapping[str, Decoder]] = {"gs524n": gs524n, "tg563a": tg563a, "ra02a": ra02a}
