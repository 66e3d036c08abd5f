"""What a message tells of an alarm besides fire: tests, faults, battery, tampering. Pure.

Keys are read by their parts, as those of fire are: ``low_bat`` and ``batteryLow`` are one fact.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from vigil_edge.smoke import words
from vigil_edge.smoke.payload import Pairs
from vigil_edge.smoke.phrases import NEGATIVE, snake_case, word_set

_TEST_KEYS: Final = (
    *("test", "testing", "test_mode", "test_in_progress", "test_button", "test_alarm"),
    *("selftest_state", "self_test_state"),
)
"""Not ``self_test`` or ``self_checking``: those are commands, and some stay true for ever."""
_SELF_TEST_KEYS: Final = (
    *("self_test_result", "checking_result", "selftest_result", "test_result"),
    *("self_checking_result", "self_check_result", "selfcheck_result", "check_result"),
)
_SELF_TESTS: Final = ("self_test", "selftest", "self_checking", "self_check")
"""Commands on most devices; a failure that is said there is one."""
_FAULT: Final = word_set("trouble fault faults malfunction failure defect defective error")
_NO_FAULT: Final = word_set("clear reset count counter last rate threshold supported enable code")
_CONTAMINATED: Final = word_set("contamination contaminated fouled fouling dirty dust dusty")
_FOULED: Final = word_set(
    "critical medium moderate heavy high severe warning dirty fouled alarm yes"
)
"""In words, from Matter's "warning" on; "light" and "low" are no trouble yet."""
_TAMPER: Final = word_set("tamper tampered temper dismantled unmount unmounted")
_TAKEN_OFF: Final = word_set("tampered tamper open opened removed dismantled")
_LOW_BATTERY: Final = re.compile(
    r"(?:is_)?(?:low_?bat(?:t(?:ery)?)?|bat(?:t(?:ery)?)?_?(?:low|critical|warning|alarm|alert))"
    r"(?:_?(?:alarm|state|status|warning|alert))*"
)
_BATTERY_KEYS: Final = ("battery", "battery_percentage", "battery_level")
_BATTERY_LOW: Final = word_set("low critical empty replace depleted flat warning nok exhausted")
_BATTERY_GOOD: Final = word_set("middle medium high normal full good ok")
_BATTERY_UNKNOWN: Final = 255
_END: Final = re.compile(
    r"lifecycle|(?:.*_)?(?:end_?of_?(?:life|service)|life_?end|eol|expired"
    r"|replacement_(?:required|needed))"
    r"(?:_(?:alarm|alert|state|status|warning))?"
)
_ENDED: Final = ("expired", "end_of_life", "end_of_service", "replace", "replacement_required")
_MUTED_KEYS: Final = (
    *("muted", "mute", "silence", "silenced", "hush", "hushed", "mute_buzzer", "muffling"),
    *("alarm_silence", "alarm_silenced", "alarm_mute", "alarm_muted", "mute_state", "device_muted"),
    *("temporary_mute", "buzzer_mute", "buzzer_manual_mute", "silence_siren", "mute_alarm"),
)
_DENSITY_KEYS: Final = ("smoke_density", "smoke_concentration", "smoke_value")
_OF_A_MEASURE: Final = frozenset({"value", "unit", "units", "raw", "text", "name"})
_DENSITY_LIMIT: Final = 1e9
_SECONDS_BELOW: Final = 1e11
"""A number below this is in seconds since 1970: as milliseconds it would lie before 1973."""


def _parts(value: Any) -> set[str]:
    return set(snake_case(value).split("_")) if isinstance(value, str) else set()


def _is(key: str, names: frozenset[str], *, but: frozenset[str] = frozenset()) -> bool:
    parts = set(key.split("_"))
    return bool(parts & names) and not parts & but


def _is_low(value: Any) -> bool | None:
    """Of a battery in words."""
    known = _parts(value)
    if known & _BATTERY_LOW:
        return not known & NEGATIVE
    return False if known & _BATTERY_GOOD else None


def _measured(key: str, value: Any) -> Any:
    """``{"value": 85, "unit": "%"}`` is 85; what describes a fire key's state is read whole."""
    if not isinstance(value, Pairs) or words.kind_of(key) is not None:
        return value
    said = {snake_case(name): inner for name, inner in value.pairs}
    return said["value"] if "value" in said and set(said) <= _OF_A_MEASURE else value


class Fields:
    """Typed reading of a payload that notes what it could not read."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        self.pairs = [(key, _measured(key, value)) for key, value in pairs]
        self.unreadable: list[str] = []

    def _values(self, keys: Collection[str]) -> list[tuple[str, Any]]:
        return [(key, value) for key, value in self.pairs if key in keys and value is not None]

    def _any_truth(self, keys: Collection[str]) -> bool | None:
        said: list[bool] = []
        for key, value in self._values(keys):
            self._take(said, key, words.truth(value), value)
        return any(said) if said else None

    def _take(self, said: list[bool], key: str, found: bool | None, value: Any) -> None:
        if found is not None:
            said.append(found)
        elif not words.meaning(value).readable:
            self.unreadable.append(key)

    def test(self) -> bool | None:
        """Whether a self test runs; a button's "pressed" is one."""
        said: list[bool] = []
        for key, value in self._values(_TEST_KEYS):
            self._take(said, key, words.test_runs(value), value)
        return any(said) if said else None

    def muted(self) -> bool | None:
        """Whether it says that it was silenced."""
        return self._any_truth(_MUTED_KEYS)

    def tamper(self) -> bool | None:
        """Whether it says that it was taken off or opened."""
        said: list[bool] = []
        for key, value in self._values([key for key, _ in self.pairs if _is(key, _TAMPER)]):
            known = _parts(value)
            found = True if known & _TAKEN_OFF else False if "closed" in known else None
            self._take(said, key, words.truth(value) if found is None else found, value)
        return any(said) if said else None

    def fault(self) -> bool | None:
        """Faults as truth values, numbers or words, and self tests that failed."""
        said: list[bool] = []
        for key, value in self.pairs:
            if value is None:
                continue
            found = words.failed(value) if isinstance(value, str) else None
            if key in _SELF_TEST_KEYS:
                said += [] if found is None else [found]
            elif key in (*_SELF_TESTS, "state", "status", "device_status"):
                said += [True] if found else []
            elif _is(key, _FAULT, but=_NO_FAULT):
                found = words.truth(value) if found is None else found
                # A device's own word for it, such as "none", says nothing.
                own = isinstance(value, str) and key in ("fault", "error")
                self._take(said, key, found, None if own else value)
        return any(said) if said else None

    def contaminated(self) -> bool | None:
        """Of its chamber, as a truth or in words; a number is a measure."""
        said: list[bool] = []
        for key, value in self.pairs:
            if not _is(key, _CONTAMINATED, but=_NO_FAULT) or value is None:
                continue
            if isinstance(value, bool):
                said.append(value)
            elif isinstance(value, str) and words.as_number(value) is None:
                known = _parts(value)
                said.append(bool(known & _FOULED) and not known & NEGATIVE)
        return any(said) if said else None

    def end_of_service(self) -> bool | None:
        """``lifecycle`` is a truth on some devices and a number of days on others."""
        said: list[bool] = []
        for key, value in self.pairs:
            days = words.as_number(value) is not None
            if value is None or not _END.fullmatch(key) or (days and key == "lifecycle"):
                continue
            if isinstance(value, str) and snake_case(value) in _ENDED:
                said.append(True)
            elif isinstance(value, bool | str | int | float):
                found = words.truth(value)
                said += [] if found is None else [found]
        return any(said) if said else None

    def battery(self) -> tuple[bool | None, float | None]:
        """The device's own warning, and percent; 255 is ZCL's "unknown"."""
        low: list[bool] = []
        percent: float | None = None
        for key, value in self.pairs:
            if value is None:
                continue
            if _LOW_BATTERY.fullmatch(key):
                found = words.truth(value)
                self._take(low, key, _is_low(value) if found is None else found, value)
                continue
            if key not in (*_BATTERY_KEYS, "battery_state", "battery_status"):
                continue
            number, is_low = words.as_number(value), _is_low(value)
            if is_low is not None:
                low.append(is_low)
                if key in _BATTERY_KEYS and is_low is False:
                    self.unreadable.append(key)
            elif key not in _BATTERY_KEYS or number == _BATTERY_UNKNOWN:
                continue
            elif number is None or not 0 <= number <= 100:
                self.unreadable.append(key)
            elif percent is None:
                percent = int(number) if number.is_integer() else number
        return (any(low) if low else None), percent

    def smoke_density(self) -> float | None:
        """As the alarm says it, in its own unit."""
        return self._first_number(_DENSITY_KEYS)

    def temperature(self) -> float | None:
        """°C, of the air; chips have keys of their own."""
        return self._first_number(("temperature",))

    def link_quality(self) -> int | None:
        """0 to 255."""
        for key, value in self._values(("linkquality",)):
            number = words.as_number(value)
            if number is not None and 0 <= number <= 255:
                return round(number)
            self.unreadable.append(key)
        return None

    def _first_number(self, keys: tuple[str, ...]) -> float | None:
        for name in keys:
            for key, value in self._values((name,)):
                number = words.as_number(value)
                if number is not None and abs(number) <= _DENSITY_LIMIT:
                    return number
                self.unreadable.append(key)
        return None

    def instant(self, name: str) -> datetime | None:
        """ISO 8601 or milliseconds since 1970, as Zigbee2MQTT's ``last_seen`` setting chooses."""
        for key, value in self._values((name,)):
            found = _instant(value)
            if found is not None:
                return found
            self.unreadable.append(key)
        return None


def _instant(value: Any) -> datetime | None:
    number = words.as_number(value)
    try:
        if number is not None:
            if not math.isfinite(number):
                return None
            seconds = number if abs(number) < _SECONDS_BELOW else number / 1000
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(value, str):
            time = datetime.fromisoformat(value.strip())
            return None if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
