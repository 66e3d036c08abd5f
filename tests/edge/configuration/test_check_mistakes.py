"""``vigil-edge check`` over a gateway of all four domains, mistaken in one place, then in many."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.configuration.test_config import check

RIGHT = """\
[gateway]
id = "gw-chiayi"
name = "East Market"
latitude = 23.48
longitude = 120.44
data_dir = "data"

[cloud]
broker = "mqtt://broker.example:1883"
url = "http://cloud.example:8400"
token = "a-token-of-some-length"

[outbox]
max_rows = 10000

[health]
interval_s = 60

[[noise]]
device = "mic-1"
threshold_db = 86.0
[noise.audio]
source = "pcm"
address = "tcp://127.0.0.1:9000"
format = "s32le:48000:4"
channel = 0
full_scale_peak_db = 120.0
[noise.camera]
source = "mjpeg"
address = "http://127.0.0.1:8080/street"
fps = 15

[[water]]
device = "sonde-1"
driver = "modbus-tcp"
address = "127.0.0.1:502"
interval_s = 60
mode = "poll"
[[water.signal]]
name = "pH"
register = 0
unit = "pH"
byte_order = "ABCD"
range_fail = [0, 14]
high = 9.0
low = 6.0
[[water.signal]]
name = "temperature"
register = 2
type = "int16"

[[checkin]]
device = "station-1"
driver = "ble"
adapter = "hci0"
absence_s = 60
[[checkin]]
device = "station-2"
driver = "llrp"
address = "127.0.0.1:5084"
min_sightings = 2

[[smoke]]
driver = "zigbee2mqtt"
broker = "mqtt://127.0.0.1:1883"
[[smoke.alarm]]
friendly_name = "kitchen"
device = "alarm-1"
latitude = 23.5
[[smoke.alarm]]
friendly_name = "bedroom"
device = "alarm-2"
"""

SLIPS = {
    # what is written wrong: (as it should be, as it is, key, the line as it is)
    "id with a space": ('id = "gw-chiayi"', 'id = "GW Chiayi"', "gateway.id", None),
    "latitude off the globe": ("latitude = 23.48", "latitude = 234.8", "gateway.latitude", None),
    "no data_dir": ('data_dir = "data"\n', "", "gateway.data_dir", "[gateway]"),
    "unknown gateway key": ("name = ", "nmae = ", "gateway.nmae", 'nmae = "East Market"'),
    "unknown section": ("[health]", "[helth]", "helth", None),
    "broker of http": ('"mqtt://broker', '"http://broker', "cloud.broker", None),
    "broker without a host": (
        "mqtt://broker.example:1883", "mqtt://", "cloud.broker", 'broker = "mqtt://"'
    ),
    "broker's port": ("broker.example:1883", "broker.example:99999", "cloud.broker", None),
    "url without a scheme": ('"http://cloud', '"cloud', "cloud.url", None),
    "ca_file that is not there": (
        'url = "http', 'ca_file = "ca.pem"\nurl = "http', "cloud.ca_file", 'ca_file = "ca.pem"'
    ),
    "token twice": (
        'token = "', 'token_file = "gateway.toml"\ntoken = "', "cloud.token_file",
        'token_file = "gateway.toml"',
    ),
    "certificate without its key": (
        "mqtt://broker.example:1883\"\n",
        "mqtts://broker.example\"\ncertificate_file = \"gateway.toml\"\n",
        "cloud.certificate_file", 'certificate_file = "gateway.toml"',
    ),
    "rows below the least": ("max_rows = 10000", "max_rows = 1", "outbox.max_rows", None),
    "rows as text": ("max_rows = 10000", 'max_rows = "many"', "outbox.max_rows", None),
    "interval of zero": (
        "[health]\ninterval_s = 60", "[health]\ninterval_s = 0",
        "health.interval_s", "interval_s = 0",
    ),
    "single brackets": ("[[noise]]", "[noise]", "noise", None),
    "source unknown": ('source = "pcm"', 'source = "usb"', "noise[0].audio.source", None),
    "stream without scheme": (
        '"tcp://127', '"127', "noise[0].audio.address", 'address = "127.0.0.1:9000"'
    ),
    "stream without port": (
        "127.0.0.1:9000", "127.0.0.1", "noise[0].audio.address", 'address = "tcp://127.0.0.1"'
    ),
    "encoding unknown": ("s32le:48000:4", "s32be:48000:4", "noise[0].audio.format", None),
    "rate unknown": ("s32le:48000:4", "s32le:4410:4", "noise[0].audio.format", None),
    "channel beyond format": ("channel = 0", "channel = 4", "noise[0].audio.channel", None),
    "two calibrations": (
        "full_scale_peak_db = 120.0", "full_scale_peak_db = 120.0\npascal_per_unit = 1.0",
        "noise[0].audio.pascal_per_unit", "pascal_per_unit = 1.0",
    ),
    "full scale of a whisper": (
        "full_scale_peak_db = 120.0", "full_scale_peak_db = 12",
        "noise[0].audio.full_scale_peak_db", None,
    ),
    "threshold as text": (
        "threshold_db = 86.0", 'threshold_db = "loud"', "noise[0].threshold_db", None
    ),
    "camera of another scheme": (
        "http://127.0.0.1:8080", "rtsp://127.0.0.1:8080", "noise[0].camera.address", None
    ),
    "frames of none": ("fps = 15", "fps = 0", "noise[0].camera.fps", None),
    "audio is missing": (
        RIGHT[RIGHT.index("[noise.audio]") : RIGHT.index("[noise.camera]")], "",
        "noise[0].audio", "[[noise]]",
    ),
    "driver unknown": ('"modbus-tcp"', '"modbus"', "water[0].driver", None),
    "probe's port": ("127.0.0.1:502", "127.0.0.1:http", "water[0].address", None),
    "interval below zero": (
        "interval_s = 60\nmode", "interval_s = -1\nmode", "water[0].interval_s", "interval_s = -1"
    ),
    "mode unknown": ('mode = "poll"', 'mode = "pool"', "water[0].mode", None),
    "unit unknown": ('unit = "pH"', 'unit = "ph units"', "water[0].signal[0].unit", None),
    "register too high": ("register = 2", "register = 70000", "water[0].signal[1].register", None),
    "byte order unknown": ('"ABCD"', '"ACBD"', "water[0].signal[0].byte_order", None),
    "range upside down": ("[0, 14]", "[14, 0]", "water[0].signal[0].range_fail", None),
    "range of one": ("[0, 14]", "[0]", "water[0].signal[0].range_fail[1]", None),
    "low above high": ("low = 6.0", "low = 10.0", "water[0].signal[0].low", None),
    "signal twice": ('name = "temperature"', 'name = "pH"', "water[0].signal[1].name", None),
    "type unknown": ('type = "int16"', 'type = "int17"', "water[0].signal[1].type", None),
    "key misspelt in a signal": (
        "byte_order", "byteorder", "water[0].signal[0].byteorder", 'byteorder = "ABCD"'
    ),
    "driver of a station": ('driver = "ble"', 'driver = "wifi"', "checkin[0].driver", None),
    "a reader's key at a radio": (
        'adapter = "hci0"', 'address = "127.0.0.1"', "checkin[0].address", 'address = "127.0.0.1"'
    ),
    "absence below zero": ("absence_s = 60", "absence_s = -60", "checkin[0].absence_s", None),
    "reader without a port": ("127.0.0.1:5084", "127.0.0.1:0", "checkin[1].address", None),
    "sightings of none": (
        "min_sightings = 2", "min_sightings = 0", "checkin[1].min_sightings", None
    ),
    "one device twice": ('"station-2"', '"station-1"', "checkin[1].device", 'device = "station-1"'),
    "driver of alarms": ('"zigbee2mqtt"', '"zigbee"', "smoke[0].driver", None),
    "alarms' broker": ('"mqtt://127', '"127', "smoke[0].broker", None),
    "wildcard in a name": ('"kitchen"', '"kitchen/#"', "smoke[0].alarm[0].friendly_name", None),
    "alarm twice": ('"alarm-2"', '"alarm-1"', "smoke[0].alarm[1].device", 'device = "alarm-1"'),
    "name twice": ('"bedroom"', '"kitchen"', "smoke[0].alarm[1].friendly_name",
                   'friendly_name = "kitchen"'),
    "alarm without a device": ('device = "alarm-2"\n', "", "smoke[0].alarm[1].device", None),
    "latitude of an alarm": ("latitude = 23.5\n", "latitude = 123.5\n",
                             "smoke[0].alarm[0].latitude", None),
}  # fmt: skip


def slipped(text: str, name: str) -> str:
    right, wrong, _, _ = SLIPS[name]
    assert right in text, name
    if name == "one device twice":
        return text.replace(right, wrong)
    return text.replace(right, wrong, 1)


def place(text: str, name: str) -> tuple[int, str]:
    """Line and key at which this slip must be named."""
    _, wrong, key, shown = SLIPS[name]
    lines = text.split("\n")
    if name == "alarm without a device":
        return max(n for n, line in enumerate(lines, 1) if line == "[[smoke.alarm]]"), key
    if shown is not None:
        return max(n for n, line in enumerate(lines, 1) if line == shown), key
    return text[: text.rindex(wrong)].count("\n") + 1, key


def named(lines: list[str]) -> list[tuple[int, str]]:
    found = []
    for line in lines:
        match = re.fullmatch(r"(\d+): ([^ :]+): .+", line)
        assert match is not None, line
        found.append((int(match[1]), match[2]))
    return found


def test_the_right_file_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = check(tmp_path, RIGHT, capsys)
    assert status == 0
    assert len(lines) == 7  # with the bridge of the alarms


@pytest.mark.parametrize("name", SLIPS)
def test_each_mistake_is_named_with_its_line_and_key(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = slipped(RIGHT, name)
    status, lines = check(tmp_path, text, capsys)
    assert status == 2
    assert named(lines) == [place(text, name)]


def test_many_mistakes_at_once_are_all_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together = [
        "id with a space", "latitude off the globe", "broker of http", "ca_file that is not there",
        "url without a scheme", "rows below the least", "unknown section",
        "stream without scheme", "encoding unknown", "two calibrations", "threshold as text",
        "camera of another scheme", "probe's port", "mode unknown", "unit unknown",
        "byte order unknown", "low above high", "type unknown", "absence below zero",
        "reader without a port", "one device twice", "alarms' broker", "wildcard in a name",
        "latitude of an alarm",
    ]  # fmt: skip
    text = RIGHT
    for name in together:
        text = slipped(text, name)
    status, lines = check(tmp_path, text, capsys)
    assert status == 2
    assert set(named(lines)) == {place(text, name) for name in together}
    assert named(lines) == sorted(named(lines))
