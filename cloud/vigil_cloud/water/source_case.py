"""One incident, from what its stations measured to suspects, arrivals and the next sample. Pure.

Conductance above its background becomes a concentration by the station's factor. Of a pH and a
turbidity only the timing counts, and only where the conductance of the same station shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from vigil_cloud.water import channels as files
from vigil_cloud.water.channels import Channels, Point
from vigil_cloud.water.pace import Pace
from vigil_cloud.water.plume_forecast import Arrival, Forecast, forecast
from vigil_cloud.water.source_input import Case, Note, Signal
from vigil_cloud.water.source_tracing import Suspect, Traced, trace
from vigil_cloud.water.station_curves import Floats, Observed, curves
from vigil_cloud.water.trace_schema import (
    TraceArrival,
    TraceFrames,
    TraceResult,
    TraceSample,
    TraceStation,
    TraceSuspect,
)

SALT_G_M3_PER_S_M: Final = 5263.0
"""Table salt, dilute, at 25 °C: 0.19 S/m for each kg/m³."""
_QUIET_S: Final = 1800.0
"""So long before the first onset a probe may have begun to see it."""
_FEWEST: Final = 12
_KEPT: Final = 20
_MOST_BEFORE: Final = 3
_PER_CASE: Final = 2.0
"""So much likelier for each case in which it was the source."""
_UNBOUNDED: Final = 50.0
"""A mass known no better than by this factor is not shown."""
_PACES: Final = 500
_UNEXPLAINED: Final = Note(
    "no station has seen anything that a release in this network explains",
    "各測站所見無法以此水路網中的排放解釋",
)


def calculate(case: Case, spare: Callable[[], bool] = lambda: True) -> TraceResult:
    """``spare``: whether there is time for a further candidate. Raises ``BadChannels``."""
    network = files.read({"type": "FeatureCollection", "features": list(case.features)})
    observed, stations = _observed(case, network)
    pace = _pace(case.velocities)

    def prior(_: str, outfall: str | None) -> float:
        before = case.before.get(outfall or "")
        return 1.0 if before is None else _PER_CASE ** min(before.weight, _MOST_BEFORE)

    if pace is not None:  # all that follows is on the water's clock
        observed = {name: pace.observed(one) for name, one in observed.items()}
    traced = trace(network, observed, prior, spare)
    gates = [point for feature in case.features if (point := _gate(feature, network)) is not None]
    below = [one for one in network.points.values() if one.kind == "station"]
    now_s = case.now_s if pace is None else float(pace.water_s(case.now_s))
    found = forecast(network, traced, observed, [*gates, *below], now_s=now_s)
    notes = list(case.notes)
    if not traced.suspects:
        notes.append(_UNEXPLAINED)
    if traced.apart:
        names = ", ".join(traced.apart)
        notes.append(
            Note(
                f"no single release can have reached {names} and the other stations: left out",
                f"沒有任何排放會同時流經其他測站與 {names}：推算時未納入",
            )
        )
    if traced.untried:
        notes.append(
            Note(
                f"the network is large: {traced.untried} possible sources, the unlikeliest by what"
                " is registered, were not tried",
                f"水路網過大：依登錄資料最不可能的 {traced.untried} 個來源未納入推算",
            )
        )
    return _Written(case, pace).result(traced, found, stations, notes)


def _observed(case: Case, network: Channels) -> tuple[dict[str, Observed], list[TraceStation]]:
    observed: dict[str, Observed] = {}
    stations: list[TraceStation] = []
    timed: list[tuple[Signal, float]] = []
    for signal in case.signals:
        times, values = np.asarray(signal.times_s, float), np.asarray(signal.values, float)
        background = _background(signal, times, values, case.onset_s)
        if signal.station not in network.points or background is None:
            continue
        if signal.parameter in ("pH", "turbidity_FNU"):
            timed.append((signal, background))
            continue
        excess = (values - background) * (signal.factor or SALT_G_M3_PER_S_M)
        observed[signal.station] = Observed(times, excess)
        stations.append(_station(signal, background, timing_only=False))
    shown = {one.station for one in curves(observed) if one.seen}
    for signal, background in timed:
        if signal.station in shown:
            continue  # its conductance says more
        moved = np.abs(np.asarray(signal.values, float) - background)
        times = np.asarray(signal.times_s, float)
        observed[signal.station] = Observed(times, moved, timing_only=True)
        stations = [one for one in stations if one.station != signal.station]
        stations.append(_station(signal, background, timing_only=True))
        shown.add(signal.station)
    seen = {one.station for one in curves(observed) if one.seen}
    return observed, [one.model_copy(update={"seen": one.station in seen}) for one in stations]


def _station(signal: Signal, background: float, *, timing_only: bool) -> TraceStation:
    return TraceStation(
        station=signal.station,
        parameter=signal.parameter,
        background=background,
        seen=False,
        timing_only=timing_only,
    )


def _background(signal: Signal, times: Floats, values: Floats, onset_s: float) -> float | None:
    """Median of before; where nothing was measured then, the fifth part that changes least: its
    lowest of conductance and turbidity, its middle of a pH."""
    if len(values) < 2:
        return None
    quiet = values[times < onset_s - _QUIET_S]
    if len(quiet) >= _FEWEST:
        return float(np.median(quiet))
    return float(np.quantile(values, 0.5 if signal.parameter == "pH" else 0.2))


def _pace(velocities: Mapping[str, Sequence[tuple[float, float]]]) -> Pace | None:
    """What all reaches that are measured have in common: the mean of their velocities, each over
    its own mean. A reach that turned around in between says nothing of a common pace."""
    usable = [
        (np.array([at for at, _ in one]), np.abs([v for _, v in one]))
        for one in velocities.values()
        if len(one) > 1 and (all(v > 0 for _, v in one) or all(v < 0 for _, v in one))
    ]
    if not usable:
        return None
    every = np.unique(np.concatenate([times for times, _ in usable]))
    every = every[:: max(1, len(every) // _PACES)]
    factors = np.mean([np.interp(every, at, speed / speed.mean()) for at, speed in usable], axis=0)
    return Pace(every.tolist(), factors.tolist())


def _gate(feature: Mapping[str, Any], network: Channels) -> Point | None:
    tags = feature["properties"]
    reach = network.reaches.get(tags.get("reach", ""))
    if tags.get("kind") != "gate" or reach is None:
        return None
    offset = min(float(tags["offset_m"]), reach.length_m)
    return Point(tags["id"], "gate", reach.id, reach.length_m - offset if reach.turned else offset)


@dataclass(frozen=True, slots=True)
class _Written:
    """What was calculated, with moments for people."""

    case: Case
    pace: Pace | None

    def moment(self, seconds: float) -> datetime:
        """Of the water's clock."""
        at = seconds if self.pace is None else float(self.pace.clock_s(seconds))
        bounded = min(max(at, 0.0), 4_102_444_800.0)  # 1970 to 2100
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(bounded))

    def result(
        self, traced: Traced, found: Forecast, stations: list[TraceStation], notes: list[Note]
    ) -> TraceResult:
        return TraceResult(
            suspects=[self._suspect(one, found) for one in traced.suspects[:_KEPT]],
            unexplained=min(max(traced.unexplained, 0.0), 1.0),
            misfit=traced.misfit,
            stations=stations,
            arrivals=[self._arrival(one) for one in found.arrivals],
            samples=[
                TraceSample(
                    reach=one.reach,
                    suspected=min(one.suspected, 1.0),
                    bits=round(one.bits, 3),
                    arrives=self.moment(one.from_s),
                    over=self.moment(one.until_s),
                )
                for one in found.samples
            ],
            frames=TraceFrames(
                times=[self.moment(at) for at in found.frame_times_s],
                reaches={name: list(values) for name, values in found.frames.items()},
            ),
            notes=[one.english for one in notes],
            notes_zh=[one.chinese for one in notes],
        )

    def _arrival(self, one: Arrival) -> TraceArrival:
        return TraceArrival(
            place=one.place,
            arrives_from=self.moment(one.from_s),
            arrives_until=self.moment(one.until_s),
            over=self.moment(one.over_s),
            confidence=min(one.confidence, 1.0),
            peak_g_m3=float(f"{one.peak_g_m3:.3g}"),
        )

    def _suspect(self, one: Suspect, found: Forecast) -> TraceSuspect:
        low, high = one.mass_g
        known = high / max(low, 1e-12) < _UNBOUNDED**2
        return TraceSuspect(
            reach=one.reach,
            outfall=one.outfall,
            probability=min(max(one.probability, 0.0), 1.0),
            start_from=self.moment(one.start_s[0]),
            start_until=self.moment(one.start_s[1]),
            mass_from_kg=low / 1000 if known else None,
            mass_until_kg=high / 1000 if known else None,
            duration_s=min(one.duration_s, 10 * 86_400.0),
            before=before.cases if (before := self.case.before.get(one.outfall or "")) else 0,
            path=list(found.paths.get((one.reach, one.outfall), [one.reach])),
        )
