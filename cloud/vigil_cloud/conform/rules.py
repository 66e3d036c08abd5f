"""The rules that a gateway can break: where each is written down, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from vigil_schemas.contract import OBSERVATION_TYPES, PAYLOADS

GUIDE: Final = "docs/firmware.md"
ENVELOPE: Final = "schemas/json/cloudevent.v1.json"
CHANNELS: Final = "schemas/asyncapi.yaml"


class Rule(NamedTuple):
    """What one kind of finding breaks."""

    written: str
    """Where: a page with a heading, or a schema with a pointer into it."""
    remedy: str
    fault: bool = True
    """``False``: worth knowing, and no breach of the contract."""


def _guide(heading: str) -> str:
    return f"{GUIDE}#{heading}"


_TIMES: Final = _guide("times")
_NUMBERS: Final = _guide("epochs-and-numbers")
_RECEIPTS: Final = _guide("receipts")
_BIRTH: Final = _guide("birth-and-death")
_TOPICS: Final = _guide("topics")
_MESSAGE: Final = _guide("a-message")
_READINGS: Final = _guide("readings")
_COMMANDS: Final = _guide("commands")

RULES: Final[Mapping[str, Rule]] = {
    # The bytes.
    "not-utf8": Rule(_MESSAGE, "Send UTF-8: encode every text so before it is put into the JSON."),
    "not-json": Rule(
        _MESSAGE,
        "Send exactly one JSON object a message: no byte-order mark, list, cut end or NaN.",
    ),
    "too-large": Rule(
        _TOPICS, "Keep a message below 262144 bytes: fewer readings in a pack, several messages."
    ),
    # The envelope and its data.
    "envelope": Rule(ENVELOPE, "Correct the attribute: every message is a CloudEvents 1.0 event."),
    "data": Rule(_MESSAGE, "Correct the field as the schema of its type says."),
    "type-unknown": Rule(
        f"{CHANNELS}#/channels", "Send an event type that the contract has, in a version it has."
    ),
    "id-used-again": Rule(
        _MESSAGE,
        "Draw a new id for each event: an event is known by its id, and the second is"
        " taken for the first.",
    ),
    "refused": Rule("docs/errors.md", "Correct what the reason names."),
    "hard-to-read": Rule(
        _MESSAGE, "The alarm is taken all the same, with this marked; send it as its schema says."
    ),
    # Where it came.
    "wrong-topic": Rule(_TOPICS, "Publish on vigil/v1/{gateway}/ and one of the channels there."),
    "wrong-source": Rule(
        _MESSAGE, "Make source /{gateway}/{channel}/{epoch}, the same as in the topic."
    ),
    "wrong-lane": Rule(f"{CHANNELS}#/channels", "Send this type on the channel that lists it."),
    "wrong-subject": Rule(
        _MESSAGE, "Make subject the device that it is about; the gateway for its own messages."
    ),
    "retained": Rule(
        _TOPICS,
        "Only a birth and a death are retained: publish everything else without retain,"
        " and take back what is kept with an empty retained message.",
    ),
    "qos": Rule(_TOPICS, "Publish with QoS 1."),
    "speaks-as-cloud": Rule(
        _TOPICS, "Never publish on receipt, command or config: the cloud does."
    ),
    # Times, units.
    "time-without-zone": Rule(_TIMES, "Write UTC with a Z: 2026-05-01T08:00:00Z."),
    "time-malformed": Rule(
        _TIMES, "Write the time as text in RFC 3339's form: 2026-05-01T08:00:00Z."
    ),
    "time-ahead": Rule(
        _TIMES,
        "Set the clock (NTP, or the time in a receipt of version 2), or say clockquality"
        " unsynchronised and wait with readings until it is.",
    ),
    "time-behind": Rule(
        _TIMES, "Set the clock before the first message; a pack's bt is in seconds since 1970."
    ),
    "unit": Rule(
        _READINGS,
        "Use a registered SenML unit (Cel, S/m, kg/m3 …) and convert the value; where"
        " there is none leave u out and put the unit into the parameter's name.",
    ),
    "unit-changes": Rule(_READINGS, "Send a parameter in one unit for good."),
    # Numbers.
    "numbers-missing": Rule(
        _NUMBERS,
        "Give each message of a lane the next number, keep it until the receipt and send"
        " again what a receipt does not cover.",
    ),
    "numbers-begin-late": Rule(_NUMBERS, "Begin each epoch of each lane at 1."),
    "numbers-go-back": Rule(
        _NUMBERS,
        "Draw a new epoch whenever the store of the numbers is opened: a number that was"
        " used is never used for something else.",
    ),
    "repeat-differs": Rule(_NUMBERS, "Keep the bytes that were sent and send exactly these again."),
    "epoch-returns": Rule(_NUMBERS, "Draw the epoch at random at each start; never an old one."),
    "epoch-unlike-birth": Rule(
        _BIRTH, "Say a birth with the new epoch before anything is sent under it."
    ),
    # Receipts.
    "receipt-ignored": Rule(
        _RECEIPTS,
        "Subscribe to vigil/v1/{gateway}/receipt with QoS 1, and forget what a receipt covers.",
    ),
    "not-sent-again": Rule(
        _RECEIPTS,
        "Keep each message until a receipt covers it: the broker's PUBACK says nothing."
        " Send it again after a new connection, and after a minute without a receipt.",
    ),
    "cloud-refuses": Rule("docs/errors.md", "Do what the reason says, then send again."),
    # Birth, death, devices.
    "birth-missing": Rule(
        _BIRTH,
        "Publish a birth on vigil/v1/{gateway}/status, retained, at the begin of each"
        " connection, before anything else.",
    ),
    "birth-not-retained": Rule(_BIRTH, "Publish the birth with retain: it is for whoever comes."),
    "birth-old": Rule(
        _BIRTH,
        "Say a new birth at each connection, with session counted up; take back one that"
        " no gateway stands behind.",
    ),
    "session-goes-back": Rule(_BIRTH, "Count session up at each connection, and keep it on disk."),
    "death-missing": Rule(
        _BIRTH, "Connect with a last will: a death with this session, on status, retained, QoS 1."
    ),
    "death-not-retained": Rule(_BIRTH, "Set retain in the last will and in a goodbye."),
    "death-of-another-session": Rule(
        _BIRTH, "Put session and epoch of the birth into the death that goes with it."
    ),
    "sends-after-death": Rule(_BIRTH, "After a death nothing is sent until the next birth."),
    "device-undescribed": Rule(
        _BIRTH, "Name each device in the birth: what it measures, and which commands it takes."
    ),
    "device-of-another-domain": Rule(_BIRTH, "Send the observations of the domain of the device."),
    # Downward.
    "command-unanswered": Rule(
        _COMMANDS,
        "Subscribe to vigil/v1/{gateway}/command with QoS 1 and answer every command on"
        " the event lane, also one that is not known (code unsupported).",
    ),
    "answers-differ": Rule(_COMMANDS, "Do a command once, and answer its repeats as the first."),
    "configuration-unreported": Rule(
        _COMMANDS,
        "Answer each configuration with a city.vigil.config.report.v1, or leave"
        " city.vigil.config.v2 and v3 out of the birth's accepts.",
    ),
    "nothing-heard": Rule(
        _TOPICS, "Check the gateway's id, the broker's address and log, and its access rules."
    ),
    # Worth knowing.
    "older-version": Rule(
        _guide("versions"), "Taken for two more releases; move to the newest version.", fault=False
    ),
    "clock-unsynchronised": Rule(
        _TIMES,
        "The clock calls itself wrong: alarms older than ten minutes get the time of their"
        " receipt.",
        fault=False,
    ),
}


def written(code: str, event_type: str | None, where: tuple[str | int, ...]) -> str:
    """Where the rule is that this finding breaks: as near as it can be named."""
    rule = RULES[code].written
    if code == "data" and event_type in (PAYLOADS.keys() | OBSERVATION_TYPES.keys()):
        field = where[1] if len(where) > 1 else None
        return _pointed(f"schemas/json/{event_type}.json", event_type, field)
    if code == "envelope" and where:
        return f"{ENVELOPE}#/properties/{where[0]}"
    return rule


def _pointed(file: str, event_type: str | None, field: object) -> str:
    model = PAYLOADS.get(event_type or "")
    known = model is not None and field in model.model_fields
    return f"{file}#/properties/{field}" if known else file
