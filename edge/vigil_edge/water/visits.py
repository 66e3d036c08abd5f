"""A recording corrected by what was found at visits to its sonde (``vigil_schemas.recordings``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

from vigil_schemas.recordings import expected
from vigil_schemas.recordings.corrections import CRITERIA, Criterion, corrected_at
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.visits import Key, VisitTable

_OF: Final = (
    (expected.TEMPERATURE, "temperature"),
    (expected.CONDUCTIVITY, "specific_conductance"),
    (expected.DISSOLVED_OXYGEN, "dissolved_oxygen"),
    (expected.PH, "pH"),
    (expected.TURBIDITY, "turbidity_FNU"),
)


class Visits:
    """Of all signals of a recording. Raises ``OptionWrong`` and what ``Recording`` does."""

    def __init__(self, path: Path, signals: Sequence[str], offset: tzinfo | None = None) -> None:
        """``offset``: of times that state none; by default UTC."""
        self._file = path.name
        self._of = VisitTable(path, "--visits", signals, "--signals").visits(offset)
        self._stops = {key: [visit.time for visit in of] for key, of in self._of.items()}
        self._criteria = {signal: self._criterion(signal) for _, signal in self._of}
        self._began: dict[Key, float] = {}

    def _criterion(self, signal: str) -> Criterion:
        limits = expected.limits_for(signal)
        name = next((name for one, name in _OF if one is limits), None)
        if name is None:
            raise OptionWrong(
                f"--visits {self._file}: {signal!r} has no criterion of TM1-D3: °C, µS/cm, mg/L, pH"
                " and FNU have one"
            )
        return CRITERIA[name]

    def beside(self, text: str) -> str:
        """Lines of a replay, in order, each with ``corrected`` beside ``values``: a number wherever
        there is one. What is beyond the scale is left as it was stated."""
        return "".join(self._line(line) for line in text.split("\n") if line)

    def _line(self, text: str) -> str:
        line = json.loads(text)
        at = None if line["t"] is None else datetime.fromisoformat(line["t"]).timestamp()
        beyond = line.get("off_scale", {})
        shown = {}
        for name, value in line["values"].items():
            key = (line.get("station"), name)
            key = key if key in self._of else (None, name)
            if at is None or value is None or name in beyond or key not in self._of:
                shown[name] = value
                continue
            began = self._began.setdefault((line.get("station"), name), at)
            stops, visits = self._stops[key], self._of[key]
            found = corrected_at(at, value, began, stops, visits, self._criteria[name])
            shown[name] = float(f"{found:.9g}") if found != value else value
        head = {"t": line.pop("t"), "values": line.pop("values"), "corrected": shown}
        return json.dumps({**head, **line}, ensure_ascii=False) + "\n"
