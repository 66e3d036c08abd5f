"""A Matter Smoke CO Alarm, as a local controller tells of it in JSON. Pure.

Source: Matter Application Cluster Specification 1.4, 2.11 "Smoke CO Alarm" (cluster 0x005C) and
Core Specification 11.7 "Power Source" (0x002F). A controller's node has attributes by path
(``"1/92/1"``: endpoint, cluster, attribute), others give them by number or by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from vigil_edge.smoke import payload as payloads
from vigil_edge.smoke import words
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.payload import Pairs
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.words import KINDS, Kind

_ALARM: Final = 0x5C
_POWER: Final = 0x2F
_CLUSTERS: Final = {"smokecoalarm": _ALARM, "powersource": _POWER}
_ATTRIBUTES: Final[Mapping[int, Mapping[str, int]]] = {
    _ALARM: {
        "expressedstate": 0,
        "smokestate": 1,
        "costate": 2,
        "batteryalert": 3,
        "devicemuted": 4,
        "testinprogress": 5,
        "hardwarefaultalert": 6,
        "endofservicealert": 7,
        "interconnectsmokealarm": 8,
        "interconnectcoalarm": 9,
        "contaminationstate": 10,
        "smokesensitivitylevel": 11,
        "expirydate": 12,
    },
    _POWER: {"batpercentremaining": 12, "batchargelevel": 14, "batreplacementneeded": 15},
}
_ALARM_STATES: Final = {"normal": 0, "warning": 1, "critical": 2}
_EXPRESSED: Final = {
    "normal": 0,
    "smokealarm": 1,
    "coalarm": 2,
    "batteryalert": 3,
    "testing": 4,
    "hardwarefault": 5,
    "endofservice": 6,
    "interconnectsmoke": 7,
    "interconnectco": 8,
    "inoperative": 9,
}
_CONTAMINATION: Final = {"normal": 0, "low": 1, "warning": 2, "critical": 3}
_MUTED: Final = {"notmuted": 0, "muted": 1}
_SERVICE: Final = {"normal": 0, "expired": 1}
_CHARGE: Final = {"ok": 0, "warning": 1, "critical": 2}
_FIRES: Final[Mapping[int, Kind]] = {1: "smoke", 2: "co", 8: "smoke", 9: "co"}
"""Attributes that hold an alarm state, with what they tell of."""
_PLAIN: Final = re.compile(r"[^a-z0-9]+")
_NUMBER: Final = re.compile(r"0x[0-9a-f]{1,8}|\d{1,10}", re.IGNORECASE)
_PAIR: Final = re.compile(
    r"""["']((?:\w{1,16}/){1,3}\w{1,40}|[A-Za-z]\w{0,40})["']\s*:\s*"""
    r"""(?:["']([^"']{0,60})["']|([\w.+-]{1,40}))"""
)
"""An attribute by its path or name; a number alone may be of any cluster."""
_LONGEST: Final = 65_536
"""Characters of a broken message that are searched."""
_WRAPPERS: Final = ("attributes", "data", "node", "nodes", "result", "endpoints", "clusters")
_DEEPEST: Final = 6
_HALF_PERCENT: Final = 2


def read(payload: bytes | str) -> AlarmReport:
    """A node, an event about one, or attributes alone. Raises ``PayloadMalformed``."""
    return read_value(value_of(payload))


def value_of(payload: bytes | str) -> Any:
    """The JSON value; of a message that is broken or was cut off what it says of fires and tests,
    each node by itself. Raises ``PayloadMalformed`` where that is no fire."""
    text = payloads.text_of(payload)
    try:
        return payloads.value_of(text)
    except PayloadMalformed:
        found = (match.groups() for match in _PAIR.finditer(text[:_LONGEST]))
        burning = _burning((key, word if bare is None else bare) for key, word, bare in found)
        if not burning:
            raise
        return burning if len(burning) > 1 else burning[0]


def _burning(said: Iterable[tuple[str, str]]) -> list[Pairs]:
    """Of a message that is broken the nodes that may burn: whose id comes before what they say.
    What it says beside a fire or a test ends nothing."""
    nodes: list[list[tuple[str, Any]]] = [[]]
    for pair in said:
        if pair[0] == "node_id":
            nodes.append([pair])
            continue
        if not list(_attributes(Pairs([pair]), (), 0)):
            continue
        report = _reported(Pairs([pair]))
        if report.may_be_fire or report.test:
            nodes[-1].append(pair)
    if len(nodes) == 2:  # one id alone, wherever it stands
        nodes = [[*nodes[1], *nodes[0]]]
    return [each for node in nodes if _reported(each := Pairs(node)).may_be_fire]


def _reported(value: Any) -> AlarmReport:
    return _Said(list(_attributes(value, (), 0))).report()


def read_value(value: Any) -> AlarmReport:
    """The same of a value of ``payload.value_of``."""
    if not isinstance(value, Pairs | list):
        raise PayloadMalformed(
            f"the payload is a JSON {type(value).__name__}; a controller's node is an object"
        )
    found = list(_attributes(value, (), 0))
    is_node = isinstance(value, Pairs) and any(key in _WRAPPERS for key, _ in value.pairs)
    if not found and not is_node:
        raise PayloadMalformed("there is no attribute of a Smoke CO Alarm (cluster 0x005C) in it")
    return _Said(found).report()


def nodes(value: Any) -> list[Any]:
    """A list of nodes, each by itself: read together they would be one alarm."""
    found = value
    if isinstance(value, Pairs):
        lists = (inner for key, inner in value.pairs if key in ("nodes", "result", "data"))
        found = next((inner for inner in lists if isinstance(inner, list)), None)
    if isinstance(found, list) and found and all(node_of(one) is not None for one in found):
        return found
    return [value]


def node_of(value: Any) -> str | None:
    """Its node id, by ``node_id`` of its own or of the event that tells of it."""
    if not isinstance(value, Pairs):
        return None
    said = dict(value.pairs)
    data = said.get("data")
    of_event = dict(data.pairs).get("node_id") if isinstance(data, Pairs) else None
    if isinstance(data, list) and data:
        of_event = data[0]
    for found in (said.get("node_id"), of_event):
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        if isinstance(found, str) and found.isdecimal():
            return found
    return None


class _Said:
    """Every endpoint's attributes together: any of one kind that says fire is a fire."""

    def __init__(self, found: list[tuple[int, int, Any]]) -> None:
        self._found = found
        self._unreadable: list[str] = []
        self._doubtful: dict[Kind, str] = {}

    def report(self) -> AlarmReport:
        fires = self._fires()
        doubtful = tuple(kind for kind in KINDS if kind in self._doubtful and not fires[kind])
        charge = self._states(_POWER, 14, _CHARGE, "battery_low")
        low = [state != 0 for state in self._states(_ALARM, 3, _ALARM_STATES, "battery_low")]
        low += [state == max(_CHARGE.values()) for state in charge]
        low += self._truths(_POWER, 15, "battery_low")
        expressed = self._states(_ALARM, 0, _EXPRESSED, "")
        test = [*self._truths(_ALARM, 5, "test"), *self._expressed(expressed, 4)]
        fault = [*self._truths(_ALARM, 6, "fault"), *self._expressed(expressed, 5, 9)]
        ended = [s != 0 for s in self._states(_ALARM, 7, _SERVICE, "end_of_service")]
        fouled = [s >= 2 for s in self._states(_ALARM, 10, _CONTAMINATION, "fault")]
        muted = [s != 0 for s in self._states(_ALARM, 4, _MUTED, "muted")]
        return AlarmReport(
            smoke=None if "smoke" in doubtful else fires["smoke"],
            co=None if "co" in doubtful else fires["co"],
            doubtful=doubtful,
            raw="; ".join(self._doubtful[kind] for kind in doubtful)[:200] or None,
            test=_any(test),
            fault=_any(fault),
            contaminated=_any(fouled),
            end_of_service=_any([*ended, *self._expressed(expressed, 6)]),
            muted=_any(muted),
            battery_low=_any([*low, *self._expressed(expressed, 3)]),
            battery_percent=self._percent(),
            has_fire_key=any(said is not None for said in fires.values()),
            plainly_fire=True,
            unreadable=(*doubtful, *dict.fromkeys(self._unreadable)),
        )

    def _values(self, cluster: int, attribute: int) -> Iterator[Any]:
        """Those that are said: null is not."""
        for found_cluster, found_attribute, value in self._found:
            if (found_cluster, found_attribute) == (cluster, attribute) and value is not None:
                yield value

    def _fires(self) -> dict[Kind, bool | None]:
        said: dict[Kind, bool | None] = dict.fromkeys(KINDS)
        for attribute, kind in _FIRES.items():
            for value in self._values(_ALARM, attribute):
                self._take(said, kind, _state(value, _ALARM_STATES), value)
        for value in self._values(_ALARM, 0):
            state = _state(value, _EXPRESSED)
            if state is None:
                self._doubtful.setdefault("smoke", f"expressedState: {payloads.shown(value)}")
            elif state in (1, 7):
                said["smoke"] = True
            elif state in (2, 8):
                said["co"] = True
        return said

    def _take(
        self, said: dict[Kind, bool | None], kind: Kind, state: int | None, value: Any
    ) -> None:
        if state is None:
            self._doubtful.setdefault(kind, f"{kind}State: {payloads.shown(value)}")
        else:
            said[kind] = bool(said[kind]) or state != 0

    def _states(
        self, cluster: int, attribute: int, names: Mapping[str, int], what: str
    ) -> list[int]:
        found: list[int] = []
        for value in self._values(cluster, attribute):
            state = _state(value, names)
            if state is not None:
                found.append(state)
            elif what:
                self._unreadable.append(what)
        return found

    def _truths(self, cluster: int, attribute: int, what: str) -> list[bool]:
        found: list[bool] = []
        for value in self._values(cluster, attribute):
            truth = words.truth(value)
            if truth is None:
                self._unreadable.append(what)
            else:
                found.append(truth)
        return found

    def _expressed(self, states: list[int], *wanted: int) -> list[bool]:
        """What it shows in the first place; that it shows another thing denies nothing."""
        return [True for state in states if state in wanted]

    def _percent(self) -> float | None:
        for value in self._values(_POWER, 12):
            number = words.as_number(value)
            if number is not None and 0 <= number <= 100 * _HALF_PERCENT:
                percent = number / _HALF_PERCENT
                return int(percent) if percent.is_integer() else percent
            if number != 255:
                self._unreadable.append("battery")
        return None


def _any(said: list[bool]) -> bool | None:
    return any(said) if said else None


def _state(value: Any, names: Mapping[str, int]) -> int | None:
    """By number or name; a truth counts as the first state that is not normal."""
    if isinstance(value, Pairs):  # {"value": 2, "text": "Critical"}
        inner = dict(value.pairs)
        value = next((inner[key] for key in ("value", "raw", "state") if key in inner), None)
    if isinstance(value, bool):
        return int(value)
    number = words.as_number(value)
    if number is not None:
        return int(number) if number in names.values() else None
    plain = _PLAIN.sub("", value.lower()) if isinstance(value, str) else ""
    # "kCritical", "AlarmStateEnum.kCritical", "Critical"
    return next(
        (state for name, state in names.items() if plain == name or plain.endswith(f"k{name}")),
        None,
    )


def _attributes(value: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[int, int, Any]]:
    """Cluster, attribute and value of everything that is one of ours."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        if len(value) == 3 and isinstance(value[1], str):  # [node, "1/92/1", 2]: it was updated
            yield from _attributes(Pairs([(value[1], value[2])]), path, depth + 1)
            return
        for inner in value:
            yield from _attributes(inner, path, depth + 1)
        return
    if not isinstance(value, Pairs):
        return
    named = _named_path(value)
    if named is not None:
        yield from _attributes(Pairs([named]), path, depth + 1)
        return
    for key, inner in value.pairs:
        steps = (*path, *(key.replace(".", "/").split("/") if key not in _WRAPPERS else ()))
        yield from _attribute(steps, inner, depth)


def _attribute(steps: tuple[str, ...], inner: Any, depth: int) -> Iterator[tuple[int, int, Any]]:
    address = _address(steps)
    if address is not None and not (isinstance(inner, Pairs) and _holds_more(inner)):
        yield *address, inner
    elif isinstance(inner, Pairs | list):
        within = list(_attributes(inner, steps, depth + 1))
        yield from within
        # An attribute by its path or name whose value is some other object: it was said, and
        # cannot be read ({"TLVValue": 3, "Reason": …} of a controller).
        if address is not None and not within and (len(steps) > 1 or not steps[-1].isdigit()):
            yield *address, inner


_PATHS: Final = ("path", "attributepath")
_STEPS: Final = (
    ("endpoint", "endpointid"),
    ("cluster", "clusterid"),
    ("attribute", "attributeid"),
)


def _named_path(value: Pairs) -> tuple[str, Any] | None:
    """``{"cluster": 92, "attribute": 1, "value": 2}``, or with a ``path`` that says so: where it
    is, and what it is."""
    said = {_plain(key): inner for key, inner in value.pairs}
    if "value" not in said:
        return None
    where = next((said[name] for name in _PATHS if name in said), None)
    if isinstance(where, str) and "/" in where:
        return where, said["value"]
    if isinstance(where, Pairs):
        said |= {_plain(key): inner for key, inner in where.pairs}
    steps = [next((said[name] for name in names if name in said), None) for names in _STEPS]
    if steps[1] is None or steps[2] is None:
        return None
    return "/".join(str(step) for step in steps if step is not None), said["value"]


def _holds_more(value: Pairs) -> bool:
    """Whether an object is a cluster or an endpoint, and not one attribute's value."""
    return not any(key in ("value", "raw", "state") for key, _ in value.pairs)


def _address(steps: tuple[str, ...]) -> tuple[int, int] | None:
    """Of ``1/92/1``, ``92/1``, ``1`` or ``SmokeCoAlarm/smokeState``: cluster and attribute."""
    if not steps:
        return None
    parts = [step for step in steps if _plain(step) not in ("attributes", "attribute")]
    if not parts:
        return None
    cluster = _ALARM
    if len(parts) > 1:
        named = _CLUSTERS.get(_plain(parts[-2]), _number(parts[-2]))
        if named is None and len(parts) == 2 and _named(_plain(parts[-1])) is None:
            return None
        cluster = _ALARM if named is None else named
    name = _plain(parts[-1])
    if (found := _named(name)) is not None:
        return found
    number = _number(parts[-1])
    known = _ATTRIBUTES.get(cluster)
    if number is None or known is None or number not in known.values():
        return None
    return cluster, number


def _named(name: str) -> tuple[int, int] | None:
    for cluster, names in _ATTRIBUTES.items():
        if name in names:
            return cluster, names[name]
    return None


def _plain(text: str) -> str:
    return _PLAIN.sub("", text.lower())


def _number(text: str) -> int | None:
    return int(text, 0 if text[:2].lower() == "0x" else 10) if _NUMBER.fullmatch(text) else None
