"""Whether a measurement may found a fine: one verdict with a reason per rule. Pure.

What is not known is ``unknown`` and never counted as passed: a fine needs every required check
passed. Wind and rain are asked where somebody measures them; where nobody does they stay
``unknown``, are shown so, and are the reviewers' to judge from sound and picture. So is a clock for
which only the gateway's settings vouch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Protocol

from vigil_cloud.cases.port import Verdict, Words
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.noise import findings, vehicle_words
from vigil_cloud.noise.models import CLOCK_VOUCHED, Certificate, Road
from vigil_cloud.noise.register import Holding, civil_day
from vigil_cloud.noise.register_schema import DAYS, LimitBody
from vigil_schemas.noise import Judgement
from vigil_schemas.types import ClockQuality

CERTIFICATES: Final[dict[str, Words]] = {
    "verification": Words("Metrological verification", "法定計量檢定"),
    "comparison": Words("Comparison with the agency's reference", "主管機關比對"),
    "calibration": Words("Field calibration", "現場校正"),
}


SYNC_WITHIN_S: Final = 300.0
"""An older measurement of the clock makes its times not admissible."""


class Measured(Protocol):
    """What an exceedance says of itself (``noise.models.Exceedance``)."""

    started: datetime
    LAFmax: float
    background_db: float | None
    overload: bool
    calibrated: bool
    time_quality: str | None
    clock_quality: str | None
    wind_m_s: float | None
    rain: bool | None
    findings: dict[str, Any] | None
    overruled_by: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """One rule and what it came to."""

    code: str
    words: Words
    verdict: Verdict
    reason: Words
    required: bool = True
    """A fine needs it passed; else it must only not have failed."""

    @property
    def bars(self) -> bool:
        """Whether no fine may rest on the measurement for this."""
        return self.verdict == "fail" or (self.required and self.verdict == "unknown")


def checks(measured: Measured, holding: Holding, *, package: Verdict) -> list[Check]:
    """Every rule, in the order in which they are shown. ``package``: of the sealed evidence;
    ``fail`` where what is there belongs to something else."""
    return [
        _sensitivity(measured),
        _calibrator(measured),
        *_certificates(holding, civil_day(measured.started)),
        _clock(measured),
        _sync(measured),
        _overload(measured),
        _sound(measured),
        _vehicle(measured),
        _background(measured, holding.rules.background_margin_db),
        _wind(measured, holding.rules.wind_limit_m_s),
        _rain(measured),
        _limit(measured, holding.road),
        _sign(holding),
        _package(package),
    ]


def limit_of(road: Road, moment: datetime) -> float | None:
    """The limit in dB(A) there at that moment; ``None`` where none holds."""
    local = moment.astimezone(CITY_ZONE)
    for kept in road.limits:
        rule = LimitBody.model_validate(kept)
        if _holds(rule, local):
            return rule.limit_db
    return None


def amount_of(over_db: float, penalties: Sequence[tuple[float, int]]) -> int | None:
    """What the tariff gives for so much over the limit, in TWD. ``penalties``: rising."""
    fitting = [amount for from_db, amount in penalties if from_db <= over_db]
    return fitting[-1] if fitting and over_db > 0 else None


def _holds(rule: LimitBody, local: datetime) -> bool:
    now = local.time().replace(tzinfo=None)
    today, before = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
    if rule.since < rule.until:
        return today in rule.days and rule.since <= now < rule.until
    if rule.since == rule.until == time(0):
        return today in rule.days
    # It lasts into the next day and belongs to the day on which it began.
    return (today in rule.days and now >= rule.since) or (before in rule.days and now < rule.until)


def _sensitivity(measured: Measured) -> Check:
    words = Words("Sensitivity set", "靈敏度設定")
    if measured.calibrated:
        return Check("sensitivity", words, "pass", Words("Set on the device.", "裝置已設定。"))
    reason = Words("The microphone was not calibrated.", "麥克風未經校正。")
    return Check("sensitivity", words, "fail", reason)


_AGAINST: Final = frozenset({"calibration-expired", "calibration-drifted"})


def _calibrator(measured: Measured) -> Check:
    """What the gateway itself heard of a calibrator, beside the certificates."""
    words = Words("Calibrated within its term", "於有效期內校正")
    found = findings.read(measured.findings)
    said = found.calibration
    if said is None:
        reason = Words(
            "The gateway knows of no field calibration: the certificate decides.",
            "閘道器無現場校正紀錄，以登錄之證書為準。",
        )
        return Check("calibrator", words, "unknown", reason, required=False)
    against = () if found.judgement is None else _AGAINST.intersection(found.judgement.reasons)
    at = said.time.astimezone(CITY_ZONE)
    drift = "" if said.drift_db is None else f" ({said.drift_db:+.2f} dB)"
    reason = Words(f"{at:%Y-%m-%d %H:%M}{drift}.", f"{at:%Y-%m-%d %H:%M}{drift}。")
    return Check("calibrator", words, "fail" if against else "pass", reason, required=False)


def _certificates(holding: Holding, day: date) -> Iterator[Check]:
    placement = holding.placement
    for kind, words in CERTIFICATES.items():
        code = f"certificate-{kind}"
        if placement is None or placement.instrument is None:
            reason = Words(
                "The register does not say which instrument the device was that day.",
                "登錄簿未記載當日該裝置所用之儀器。",
            )
            yield Check(code, words, "unknown", reason)
            continue
        own = [one for one in holding.certificates if one.kind == kind]
        yield Check(code, words, *_certified(placement.instrument, own, day))


def _certified(serial: str, own: Sequence[Certificate], day: date) -> tuple[Verdict, Words]:
    if not own:
        return "unknown", Words(
            f"None of instrument {serial} is registered.", f"儀器 {serial} 無此項登錄。"
        )
    fitting = [one for one in own if one.valid_from <= day <= one.valid_until]
    if fitting:
        best = max(fitting, key=lambda one: one.valid_until)
        return "pass", Words(
            f"{best.number}, {best.valid_from} to {best.valid_until}; measured on {day}.",
            f"{best.number}，{best.valid_from} 至 {best.valid_until}；量測日 {day}。",
        )
    before = [one for one in own if one.valid_until < day]
    if before:
        last = max(before, key=lambda one: one.valid_until)
        return "fail", Words(
            f"{last.number} had expired on {last.valid_until}; measured on {day}.",
            f"{last.number} 已於 {last.valid_until} 逾期；量測日 {day}。",
        )
    first = min(own, key=lambda one: one.valid_from)
    return "fail", Words(
        f"{first.number} holds from {first.valid_from} only; measured on {day}.",
        f"{first.number} 自 {first.valid_from} 始有效；量測日 {day}。",
    )


def _clock(measured: Measured) -> Check:
    words = Words("Clock synchronised", "時鐘同步")
    if measured.time_quality:
        reason = Words("The device's clock could not be believed.", "裝置的時鐘不可信。")
        return Check("clock", words, "fail", reason)
    match measured.clock_quality:
        case None:
            reason = Words("The gateway did not say.", "閘道器未回報。")
            return Check("clock", words, "unknown", reason)
        case ClockQuality.SYNCHRONISED:
            reason = Words("Synchronised when it was told.", "回報時已同步。")
            return Check("clock", words, "pass", reason)
        case said if said == CLOCK_VOUCHED:
            reason = Words(
                "Vouched for by the gateway's settings, its kernel did not confirm it:"
                " judge whether the time can be relied on.",
                "僅由閘道器設定擔保，未經核心確認：請審查人判斷時間是否可信。",
            )
            return Check("clock", words, "unknown", reason, required=False)
        case said:
            reason = Words(f"The gateway's clock was {said}.", f"閘道器時鐘狀態：{said}。")
            return Check("clock", words, "fail", reason)


def _sync(measured: Measured) -> Check:
    words = Words(
        f"Clock measured within {SYNC_WITHIN_S / 60:g} min", f"{SYNC_WITHIN_S / 60:g} 分鐘內校時"
    )
    age = findings.read(measured.findings).sync_age_s
    if age is None:
        reason = Words(
            "The gateway's time service does not tell when it last asked its source: judge"
            " whether the time can be relied on.",
            "閘道器之校時服務未回報最近校時時間：請審查人判斷時間是否可信。",
        )
        return Check("sync", words, "unknown", reason, required=False)
    reason = Words(f"{age:.0f} s before.", f"於 {age:.0f} 秒前校時。")
    return Check("sync", words, "pass" if age <= SYNC_WITHIN_S else "fail", reason)


def _overload(measured: Measured) -> Check:
    words = Words("No overload", "無過載")
    if measured.overload:
        # A gateway says so of any sign that the sound is not what the street gave.
        reason = Words(
            "The gateway flagged the sound: overload, clipping, a drop-out, a change of gain or"
            " another fault of the input.",
            "閘道器標記此段聲音有疑慮：過載、削波、中斷、增益改變或其他輸入異常。",
        )
        return Check("overload", words, "fail", reason)
    return Check("overload", words, "pass", Words("Within its range.", "於量測範圍內。"))


def _sound(measured: Measured) -> Check:
    words = Words("A vehicle's sound", "聲音為車輛所發出")
    heard = findings.read(measured.findings).classification
    if heard is None:
        reason = Words(
            "No classifier listened to it: judge it from the sound.",
            "未經聲音辨識：請由聲音判斷。",
        )
        return Check("sound", words, "unknown", reason, required=False)
    reason = Words(
        f"Taken for {heard.kind} ({heard.score:.2f}); a vehicle: {heard.vehicle:.2f}.",
        f"辨識為 {heard.kind}（{heard.score:.2f}）；車輛：{heard.vehicle:.2f}。",
    )
    if heard.vetoed and measured.overruled_by is not None:
        reason = Words(
            f"{reason.english} That it is surely no vehicle was overruled by who opened the case;"
            " the reason stands in its history. Judge it from sound and film.",
            f"{reason.chinese}立案人聆聽後認為係車輛，理由載於案件歷程：請由聲音與影片判斷。",
        )
        return Check("sound", words, "unknown", reason, required=False)
    verdict: Verdict = "pass" if heard.kind == "vehicle" else "unknown"
    return Check("sound", words, "fail" if heard.vetoed else verdict, reason, required=False)


def _vehicle(measured: Measured) -> Check:
    words = Words("The loud vehicle is told from others", "已辨別發聲車輛")
    told = findings.read(measured.findings)
    which = vehicle_words.which(told)
    if which is not None:
        return Check("vehicle", words, "pass", which, required=False)
    why = vehicle_words.why_not(told)
    reason = Words(
        f"{why.english} Judge from film and sound whether it is one, and which.",
        f"{why.chinese}請由影像與聲音判斷是否可確認及為何車。",
    )
    return Check("vehicle", words, "unknown", reason, required=False)


def _background(measured: Measured, margin: float) -> Check:
    words = Words(f"Background {margin:g} dB below", f"背景噪音低 {margin:g} 分貝")
    if measured.background_db is None:
        return Check(
            "background", words, "unknown", Words("It was not measured.", "未量測背景噪音。")
        )
    below = measured.LAFmax - measured.background_db
    reason = Words(
        f"Background {measured.background_db:.1f} dB, {below:.1f} dB below.",
        f"背景 {measured.background_db:.1f} 分貝，低 {below:.1f} 分貝。",
    )
    return Check("background", words, "pass" if below >= margin else "fail", reason)


def _wind(measured: Measured, limit: float) -> Check:
    words = Words(f"Wind below {limit:g} m/s", f"風速低於 {limit:g} m/s")
    if measured.wind_m_s is None:
        return Check("wind", words, "unknown", _NOBODY, required=False)
    reason = Words(f"{measured.wind_m_s:.1f} m/s.", f"{measured.wind_m_s:.1f} m/s。")
    verdict: Verdict = "pass" if measured.wind_m_s < limit else "fail"
    return Check("wind", words, verdict, reason, required=False)


_NOBODY: Final = Words(
    "Nobody measures it there: judge it from sound and picture.",
    "該處無量測：請由聲音與影像判斷。",
)


def _rain(measured: Measured) -> Check:
    words = Words("No rain", "無降雨")
    if measured.rain is None:
        return Check("rain", words, "unknown", _NOBODY, required=False)
    if measured.rain:
        return Check("rain", words, "fail", Words("It rained.", "當時降雨。"), required=False)
    return Check("rain", words, "pass", Words("It was dry.", "當時無雨。"), required=False)


def _limit(measured: Measured, road: Road | None) -> Check:
    words = Words("Above the limit of the road", "超過該路段管制值")
    limit = None if road is None else limit_of(road, measured.started)
    if road is None or limit is None:
        reason = Words(
            "The register has no limit for that place and time.", "登錄簿無該地該時之管制值。"
        )
        return Check("limit", words, "unknown", reason)
    judgement = findings.read(measured.findings).judgement
    if judgement is not None:
        return Check("limit", words, *_decided(judgement, limit, road))
    over = measured.LAFmax - limit
    reason = Words(
        f"{measured.LAFmax:.1f} dB against {limit:g} dB ({over:+.1f} dB),"
        f" in force since {road.valid_from}. {road.basis}".rstrip(),
        f"{measured.LAFmax:.1f} 分貝，管制值 {limit:g} 分貝（{over:+.1f} 分貝），"
        f"{road.valid_from} 起適用。{road.basis}",
    )
    return Check("limit", words, "pass" if over > 0 else "fail", reason)


def _decided(judgement: Judgement, limit: float, road: Road) -> tuple[Verdict, Words]:
    """By the rule of decision against the register's limit, whatever the gateway's own was."""
    level, uncertainty = judgement.LAFmax_corrected, judgement.uncertainty_db
    if judgement.decision == "not-valid" or level is None:
        why = ", ".join(judgement.reasons)
        return "fail", Words(
            f"No level of the vehicle can be told: {why}.", f"無法得出車輛之噪音量：{why}。"
        )
    above = level - uncertainty - limit
    return "pass" if above > 0 else "fail", Words(
        f"{level:.1f} dB corrected for the background, ±{uncertainty:.1f} dB (k = 2), against"
        f" {limit:g} dB: {above:+.1f} dB beyond the uncertainty,"
        f" in force since {road.valid_from}. {road.basis}".rstrip(),
        f"背景修正後 {level:.1f} 分貝，擴充不確定度 ±{uncertainty:.1f} 分貝（k = 2），"
        f"管制值 {limit:g} 分貝：扣除不確定度後 {above:+.1f} 分貝，"
        f"{road.valid_from} 起適用。{road.basis}",
    )


def _sign(holding: Holding) -> Check:
    asked = holding.rules.sign_distance_m
    words = Words(f"Warning sign {asked:g} m ahead", f"前方 {asked:g} 公尺設告示牌")
    distance = holding.road.sign_distance_m if holding.road is not None else None
    if distance is None:
        reason = Words("The register names no sign.", "登錄簿未記載告示牌。")
        return Check("sign", words, "unknown", reason)
    reason = Words(f"{distance:g} m ahead.", f"前方 {distance:g} 公尺。")
    return Check("sign", words, "pass" if distance >= asked else "fail", reason)


def _package(package: Verdict) -> Check:
    reasons: dict[Verdict, Words] = {
        "pass": Words("The package has come and its seal holds.", "證據已收到且封存完整。"),
        "fail": Words("The package belongs to another measurement.", "封存證據屬於另一筆量測。"),
        "unknown": Words("No sealed package has come yet.", "尚未收到封存證據。"),
    }
    return Check("evidence", Words("Sealed evidence", "封存證據"), package, reasons[package])
