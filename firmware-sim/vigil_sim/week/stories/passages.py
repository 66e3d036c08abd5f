"""Loud vehicles: measured, sealed, opened by an inspector, decided by two reviewers."""

from __future__ import annotations

import hashlib
import io
import json
import statistics
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.noise import Conditions, NoiseExceedance
from vigil_schemas.types import ClockQuality, Lane, isoformat_utc
from vigil_sim.week.behaviour import Passage, by_working_day
from vigil_sim.week.population import REVIEWERS, THRESHOLD_DB, TOKEN
from vigil_sim.week.stage import Stage
from vigil_sim.week.stories.everyday import key_of

_TARIFF: Final = ((10.0, 3600), (5.0, 2700), (0.0, 1800))


@dataclass(slots=True)
class _Case:
    """One passage on its way to a decision."""

    index: int
    passage: Passage
    case_id: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the cloud's case says."""

    outcome: str | None
    days: float | None
    """From the exceedance to the decision, from the case's history."""
    baseline_days: float


class Passages:
    """Every passage above the threshold."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._cases: list[_Case] = []

    def schedule(self) -> None:
        """All of them."""
        for index, passage in enumerate(self._stage.plan.passages):
            case = _Case(index, passage)
            self._cases.append(case)
            self._stage.at(passage.at_s, partial(self._passes, case))

    def _passes(self, case: _Case, at_s: float) -> None:
        stage, passage = self._stage, case.passage
        device, gateway = f"camera-{passage.camera}", f"gw-camera-{passage.camera}"
        at, name = stage.moment(at_s), f"passage-{case.index:05}"
        level = round(THRESHOLD_DB + passage.over_db, 2)
        body = _sealed(gateway, device, name, at, level, stage.population.seed)
        digest = hashlib.sha256(body).hexdigest()
        event = NoiseExceedance(
            exceedance_id=name,
            started=at,
            ended=at + timedelta(seconds=3),
            threshold_db=THRESHOLD_DB,
            LAFmax=level,
            LAFmax_time=at + timedelta(seconds=1),
            LAE=level + 2.5,
            background_db=level - (6.0 if passage.background_high else 17.0),
            overload=passage.overload,
            calibrated=True,
            conditions=Conditions(wind_m_s=7.0 if passage.wind else 1.5, rain=passage.rain),
            evidence=EvidenceReference(sha256=digest, size=len(body)),
        )
        clock = ClockQuality.UNSYNCHRONISED if passage.clock_lost else ClockQuality.SYNCHRONISED
        stage.tell(stage.outboxes.event(Lane.EVENT, gateway, device, at, event, clock))
        if not passage.evidence_lost:
            path = f"/gateways/{gateway}/evidence/{digest}"
            stage.people.upload(path, body, TOKEN.format(gateway=gateway))
        stage.happened["noise exceedances"] += 1
        stage.at(by_working_day(at_s, passage.opens_days), lambda then: self._opens(case, then))

    def _opens(self, case: _Case, at_s: float) -> None:
        stage, passage = self._stage, case.passage
        at = stage.moment(passage.at_s)
        span = {"start": at - timedelta(seconds=2), "stop": at + timedelta(seconds=2)}
        query = urlencode(
            {
                "device": f"camera-{passage.camera}",
                **{name: isoformat_utc(when) for name, when in span.items()},
            }
        )
        found = stage.people.get("inspector", f"/noise/exceedances?{query}")["exceedances"]
        body = {"kind": "noise-exceedance", "alerts": [found[0]["alert_id"]]}
        case.case_id = stage.people.post("inspector", "/cases", body)["id"]
        stage.happened["noise cases opened"] += 1
        self._next_review(case, 0, at_s)

    def _next_review(self, case: _Case, number: int, at_s: float) -> None:
        after = by_working_day(at_s, case.passage.reviews_days[number])
        self._stage.at(after, lambda at: self._reviews(case, number, at))

    def _reviews(self, case: _Case, number: int, at_s: float) -> None:
        """The checks are the cloud's; sound and pictures are the reviewer's to judge."""
        stage = self._stage
        who = REVIEWERS[(case.index + number) % len(REVIEWERS)]
        path = f"/cases/{case.case_id}"
        shown = stage.people.get(who, path)
        body = _judgement(shown, case, otherwise=case.passage.differ and number == 1)
        after = stage.people.post(who, f"{path}/decisions", {"version": shown["version"], **body})
        stage.happened["reviews"] += 1
        if after["state"] != "decided" and number + 1 < len(REVIEWERS):
            self._next_review(case, number + 1, at_s)

    def decided(self) -> list[Decided]:
        """Of every exceedance, from its case."""
        found = []
        for case in self._cases:
            outcome, days = None, None
            if case.case_id:
                shown = self._stage.people.get("inspector", f"/cases/{case.case_id}")
                outcome = shown["outcome"]
                at = [one["at"] for one in shown["history"] if one["action"] == "decided"]
                if at:
                    began = self._stage.moment(case.passage.at_s)
                    days = (datetime.fromisoformat(at[0]) - began) / timedelta(days=1)
            found.append(Decided(outcome, days, case.passage.baseline_days))
        return found

    def statistics(self) -> dict[str, Any]:
        """The cloud's own statistics of noise, for the same exceedances."""
        found: dict[str, Any] = self._stage.people.get("inspector", "/noise/statistics")
        return found


def median_days(decided: list[Decided]) -> float | None:
    """To a decision, as the cloud's statistics count it."""
    days = [one.days for one in decided if one.days is not None]
    return statistics.median(days) if days else None


def _judgement(shown: dict[str, Any], case: _Case, *, otherwise: bool) -> dict[str, Any]:
    passage = case.passage
    checks = next(one for one in shown["sections"] if one["code"] == "checks")["data"]["checks"]
    against = [
        one["code"]
        for one in checks
        if one["verdict"] == "fail" or (one["required"] and one["verdict"] == "unknown")
    ]
    reason = "; ".join(against) or "seen and heard"
    if against:
        outcome = "not-admissible"
    elif passage.several or passage.exempt:
        outcome = "dismissed"
    elif not passage.readable:
        outcome = "unreadable"
    else:
        outcome = "fine"
    if otherwise:
        outcome, reason = "unreadable" if outcome != "unreadable" else "dismissed", "seen otherwise"
    body: dict[str, Any] = {"outcome": outcome, "reason": reason}
    if outcome == "fine":
        body["amount_twd"] = next(twd for over, twd in _TARIFF if passage.over_db >= over)
        body["entries"] = {"plate": f"ABC-{1000 + case.index % 9000}"}
    return body


def _sealed(gateway: str, device: str, name: str, at: datetime, level: float, seed: int) -> bytes:
    """A package as a gateway seals it, with one small file."""
    content = json.dumps({"LAFmax": level}).encode()
    manifest = json.dumps(
        {
            "version": 1,
            "evidence_id": name,
            "gateway": gateway,
            "device": device,
            "sealed": isoformat_utc(at + timedelta(seconds=5)),
            "started": isoformat_utc(at),
            "ended": isoformat_utc(at + timedelta(seconds=3)),
            "files": [
                {
                    "name": "levels.json",
                    "role": "levels",
                    "media_type": "application/json",
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                }
            ],
        }
    ).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for inside, text in (
            ("manifest.json", manifest),
            ("manifest.sig", key_of(gateway, seed).sign(manifest)),
            ("levels.json", content),
        ):
            archive.writestr(zipfile.ZipInfo(inside), text)
    return buffer.getvalue()
