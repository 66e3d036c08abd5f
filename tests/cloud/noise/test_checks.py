"""Each rule's verdict, its edges, and that what is not known never counts as passed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.cases.port import Verdict
from vigil_cloud.noise import findings, plates, two_cameras
from vigil_cloud.noise.checks import amount_of, checks, limit_of
from vigil_cloud.noise.models import Certificate, Placement, Road
from vigil_cloud.noise.register import Holding, Rules
from vigil_schemas.noise import FellBack

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
"""Sunday noon in Taipei."""
CHECKED = frozenset(
    {
        *("sensitivity", "certificate-verification", "certificate-comparison"),
        *(
            "certificate-calibration",
            "clock",
            "sync",
            "calibrator",
            "overload",
            "sound",
            "vehicle",
            "background",
            "wind",
            "rain",
            "limit",
        ),
        *("sign", "evidence"),
    }
)


def heard(kind: str, *, vehicle: float) -> dict[str, Any]:
    """What a gateway's classifier said."""
    return {
        "kind": kind,
        "score": 0.98,
        "vehicle": vehicle,
        "vetoed": vehicle < 0.1,
        "model": "test",
    }


def seen(abstained: str | None = None) -> dict[str, Any]:
    """What a gateway found in the pictures."""
    if abstained is not None:
        return {"tracks": 2, "abstained": abstained}
    moment = NOON.isoformat()
    return {
        "tracks": 2,
        "vehicle": {
            "track": 0,
            **dict.fromkeys(("seen_from", "seen_until", "box_time"), moment),
            "box": [10, 20, 30, 40],
            "travel_s": 0.02,
            "apart_deg": 3.2,
            "compared": 25,
        },
    }


def calibration(hours: float = 20.0) -> dict[str, Any]:
    """What a gateway heard of a calibrator."""
    at = (NOON - timedelta(hours=hours)).isoformat()
    return {
        "time": at,
        "by": "calibrator",
        "level_db": 94.1,
        "nominal_db": 94.0,
        "drift_db": 0.1,
    }


def decided(corrected: float | None, uncertainty: float, **more: Any) -> dict[str, Any]:
    """What a gateway made of the level."""
    return {
        "limit_db": 86.0,
        "LAFmax_corrected": corrected,
        "uncertainty_db": uncertainty,
        "decision": "exceedance",
        **more,
    }


@dataclass
class Passage:
    """As the law wants it."""

    started: datetime = NOON
    LAFmax: float = 91.2
    background_db: float | None = 62.0
    overload: bool = False
    calibrated: bool = True
    time_quality: str | None = None
    clock_quality: str | None = "synchronised"
    wind_m_s: float | None = 1.0
    rain: bool | None = False
    findings: dict[str, Any] | None = field(
        default_factory=lambda: {
            "classification": heard("vehicle", vehicle=0.98),
            "vehicle": seen(),
            "sync_age_s": 40.0,
            "calibration": calibration(),
        }
    )
    overruled_by: str | None = None


def certificate(kind: str, start: date, end: date) -> Certificate:
    return Certificate(
        id=1, instrument="XL2-1", kind=kind, number=f"{kind}-1", valid_from=start, valid_until=end
    )


def road(**change: object) -> Road:
    values = {
        "intersection": "zhongshan",
        "direction": "",
        "valid_from": date(2026, 1, 1),
        "valid_until": None,
        "sign_distance_m": 120.0,
        "limits": [{"limit_db": 86.0}],
        "basis": "",
    }
    return Road(**values | change)


KINDS = ("verification", "comparison", "calibration")
HOLDING = Holding(
    Placement(device="mic-1", intersection="zhongshan", direction="", instrument="XL2-1"),
    road(),
    [certificate(kind, date(2026, 1, 1), date(2026, 12, 31)) for kind in KINDS],
    Rules(),
)


def verdicts(
    passage: Passage | None = None, holding: Holding = HOLDING, **more: Verdict
) -> dict[str, str]:
    found = checks(passage or Passage(), holding, package=more.get("package", "pass"))
    assert all(one.reason.english and one.reason.chinese for one in found)
    assert {one.code for one in found} == CHECKED
    return {one.code: one.verdict for one in found}


def bars(passage: Passage | None = None, holding: Holding = HOLDING, **more: Verdict) -> set[str]:
    found = checks(passage or Passage(), holding, package=more.get("package", "pass"))
    return {one.code for one in found if one.bars}


def test_a_passage_as_the_law_wants_it_passes_every_check() -> None:
    assert set(verdicts().values()) == {"pass"}
    assert bars() == set()


@pytest.mark.parametrize(
    ("change", "code", "verdict"),
    [
        ({"calibrated": False}, "sensitivity", "fail"),
        ({"overload": True}, "overload", "fail"),
        ({"time_quality": "ahead"}, "clock", "fail"),
        ({"clock_quality": "holdover"}, "clock", "fail"),
        ({"clock_quality": "unsynchronised"}, "clock", "fail"),
        ({"clock_quality": None}, "clock", "unknown"),
        ({"background_db": None}, "background", "unknown"),
        ({"background_db": 81.3}, "background", "fail"),
        ({"wind_m_s": 5.0}, "wind", "fail"),
        ({"rain": True}, "rain", "fail"),
        ({"LAFmax": 86.0}, "limit", "fail"),
    ],
)
def test_one_thing_that_is_wrong_or_unknown_bars_a_fine(
    change: dict[str, object], code: str, verdict: str
) -> None:
    passage = replace(Passage(), **change)  # type: ignore[arg-type]  # by the table
    assert verdicts(passage)[code] == verdict
    assert code in bars(passage)


@pytest.mark.parametrize(
    ("judgement", "verdict"),
    [
        (decided(87.01, 1.0), "pass"),
        # A borderline, also where the gateway was told of a lower limit than the register's.
        (decided(87.0, 1.0), "fail"),
        (decided(None, 1.0, decision="not-valid", reasons=["background"]), "fail"),
        (decided(95.0, 1.0, decision="not-valid", reasons=["gain-change"]), "fail"),
    ],
)
def test_the_limit_is_exceeded_only_beyond_the_uncertainty(
    judgement: dict[str, Any], verdict: str
) -> None:
    passage = replace(Passage(), findings={**(Passage().findings or {}), "judgement": judgement})
    assert verdicts(passage)["limit"] == verdict
    assert ("limit" in bars(passage)) == (verdict == "fail")


def test_what_is_no_vehicle_founds_no_fine_and_what_nobody_classified_is_shown_so() -> None:
    siren = replace(Passage(), findings={"classification": heard("siren", vehicle=0.01)})
    assert (verdicts(siren)["sound"], bars(siren)) == ("fail", {"sound"})
    overruled = replace(siren, overruled_by="ana")
    assert (verdicts(overruled)["sound"], bars(overruled)) == ("unknown", set())
    # Taken for something else, though not surely: it has not passed, people judge it.
    saw = replace(Passage(), findings={"classification": heard("chainsaw", vehicle=0.15)})
    assert (verdicts(saw)["sound"], bars(saw)) == ("unknown", set())
    unheard = replace(Passage(), findings=None)
    assert (verdicts(unheard)["sound"], bars(unheard)) == ("unknown", set())


@pytest.mark.parametrize("abstained", ["several", "no-match", "no-array", "failed", None])
def test_which_vehicle_it_was_is_told_or_left_to_people(abstained: str | None) -> None:
    found = {} if abstained is None else {"vehicle": seen(abstained)}
    passage = replace(Passage(), findings=found)
    assert verdicts(passage)["vehicle"] == "unknown"
    assert bars(passage) == set()


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        (seen() | {"pictures_within_s": 0.1}, "pass", "within the 0.10 s to which"),
        (seen(), "pass", "where the sound came from."),
        (seen("several") | {"rival_off_s": 0.7}, "unknown", "0.70 s earlier than the camera says"),
        (seen("several") | {"rival_off_s": -0.3}, "unknown", "0.30 s later than the camera says"),
        (seen("several") | {"rival_deg": 4.0}, "unknown", "within 10°"),
    ],
)
def test_how_well_the_moments_of_the_pictures_are_known_is_told(
    found: dict[str, Any], verdict: str, said: str
) -> None:
    passage = replace(Passage(), findings={"vehicle": found})
    (check,) = (one for one in checks(passage, HOLDING, package="pass") if one.code == "vehicle")
    assert check.verdict == verdict
    assert said in check.reason.english
    assert check.reason.chinese != check.reason.english


@pytest.mark.parametrize(
    ("doubt", "said"), [("cut-off", "edge"), ("several-heard", "twice"), ("not-in-picture", "not")]
)
def test_why_the_only_vehicle_may_not_be_the_one_is_told(doubt: str, said: str) -> None:
    found = {"vehicle": seen("no-array"), "plate_reading": {"abstained": doubt}}
    passage = replace(Passage(), findings=found)
    (check,) = (one for one in checks(passage, HOLDING, package="pass") if one.code == "vehicle")
    assert check.verdict == "unknown"
    assert said in check.reason.english


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        ({}, None),
        ({"camera": "plate"}, "the plate camera"),
        ({"camera": "overview", "fell_back": "no-match"}, "the overview camera: no vehicle"),
        (
            {"camera": "overview", "fell_back": "several", "apart_s": 1.1},
            "the overview camera: two vehicles in those of the plate camera may be the loud one"
            " (the moments of both cameras' pictures are known to 1.10 s of each other)",
        ),
    ],
)
def test_in_whose_pictures_a_plate_was_looked_for_is_told(
    reading: dict[str, Any], said: str | None
) -> None:
    told = findings.read({"plate_reading": reading | {"confidence": 0.9}})
    shown = [fact.value for fact in two_cameras.facts(told)]
    assert len(shown) == (said is not None)
    assert all(value.startswith(said or "") for value in shown)


def test_every_reason_for_reading_the_overview_has_its_words() -> None:
    for why in get_args(FellBack):
        told = findings.read({"plate_reading": {"camera": "overview", "fell_back": why}})
        (fact,) = two_cameras.facts(told)
        assert fact.value != fact.value_zh


@pytest.mark.parametrize(
    ("age", "verdict"), [(0.0, "pass"), (300.0, "pass"), (300.1, "fail"), (None, "unknown")]
)
def test_times_are_admissible_only_within_five_minutes_of_a_measured_clock(
    age: float | None, verdict: str
) -> None:
    passage = replace(Passage(), findings={"sync_age_s": age})
    assert verdicts(passage)["sync"] == verdict
    assert bars(passage) == ({"sync"} if verdict == "fail" else set())


@pytest.mark.parametrize(
    ("reasons", "verdict"),
    [([], "pass"), (["calibration-expired"], "fail"), (["calibration-drifted"], "fail")],
)
def test_a_calibration_that_the_gateway_calls_over_bars(reasons: list[str], verdict: str) -> None:
    decision = "not-valid" if reasons else "exceedance"
    judgement = decided(91.0, 0.9) | {"decision": decision, "reasons": reasons}
    passage = replace(Passage(), findings={"calibration": calibration(), "judgement": judgement})
    assert verdicts(passage)["calibrator"] == verdict
    assert ("calibrator" in bars(passage)) == bool(reasons)
    assert verdicts(replace(passage, findings=None))["calibrator"] == "unknown"


def test_wind_and_rain_that_nobody_measures_are_shown_as_unknown_and_bar_nothing() -> None:
    found = verdicts(replace(Passage(), wind_m_s=None, rain=None))
    assert (found["wind"], found["rain"]) == ("unknown", "unknown")
    assert bars(replace(Passage(), wind_m_s=None, rain=None)) == set()


def test_a_clock_that_was_only_vouched_for_has_not_passed_and_is_the_reviewers_to_judge() -> None:
    vouched = replace(Passage(), clock_quality="vouched")
    assert verdicts(vouched)["clock"] == "unknown"
    assert bars(vouched) == set()
    doubted = replace(vouched, time_quality="behind")
    assert (verdicts(doubted)["clock"], bars(doubted)) == ("fail", {"clock"})


def test_a_certificate_counts_by_the_day_of_the_exceedance() -> None:
    """In the city's calendar: at 15:59 UTC it is still the 3rd there, at 16:00 the 4th."""
    calibrated = [
        *HOLDING.certificates[:2],
        certificate("calibration", date(2026, 3, 1), date(2026, 3, 3)),
    ]
    holding = replace(HOLDING, certificates=calibrated)
    for minutes, verdict in ((-1, "pass"), (0, "fail")):
        at = datetime(2026, 3, 3, 16, 0, tzinfo=UTC) + timedelta(minutes=minutes)
        found = verdicts(replace(Passage(), started=at), holding)
        assert found["certificate-calibration"] == verdict, at
    early = datetime(2026, 2, 28, 15, 59, tzinfo=UTC)
    found = verdicts(replace(Passage(), started=early), holding)
    assert found["certificate-calibration"] == "fail"


def test_nothing_in_the_register_is_unknown_and_bars() -> None:
    empty = Holding(None, None, [], Rules())
    found = verdicts(holding=empty)
    assert {code for code, verdict in found.items() if verdict == "unknown"} == {
        *("certificate-verification", "certificate-comparison", "certificate-calibration"),
        *("limit", "sign"),
    }
    assert bars(holding=empty) == {code for code, said in found.items() if said == "unknown"}
    assert bars(package="unknown") == bars(package="fail") == {"evidence"}
    assert bars(holding=replace(HOLDING, road=road(sign_distance_m=99.0))) == {"sign"}


@pytest.mark.parametrize(
    ("local", "limit"),
    [
        ("2026-03-02T06:00", 86.0),
        ("2026-03-02T21:59", 86.0),
        ("2026-03-02T22:00", 80.0),
        ("2026-03-03T05:59", 80.0),
        ("2026-03-07T12:00", None),
        ("2026-03-07T05:59", 80.0),  # Friday's night lasts into Saturday
        ("2026-03-07T22:00", None),
    ],
)
def test_the_limit_of_that_day_and_hour(local: str, limit: float | None) -> None:
    weekdays = ["mon", "tue", "wed", "thu", "fri"]
    one = road(
        limits=[
            {"limit_db": 80.0, "days": weekdays, "since": "22:00:00", "until": "06:00:00"},
            {"limit_db": 86.0, "days": weekdays},
        ]
    )
    assert limit_of(one, datetime.fromisoformat(f"{local}+08:00")) == limit


def test_the_tariff_goes_by_decibels_over_the_limit() -> None:
    tariff = [(0.0, 1800), (5.0, 2700), (10.0, 3600)]
    said = [amount_of(over, tariff) for over in (-1.0, 0.0, 0.1, 4.9, 5.0, 9.9, 10.0, 30.0)]
    assert said == [None, None, 1800, 1800, 2700, 2700, 3600, 3600]
    assert amount_of(7.0, []) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("abc-1234", "ABC1234"),
        (" ABC　１２３４ ", "ABC1234"),
        ("軍A‧12345".replace("‧", "·"), "軍A12345"),
        ("8888-TW", "8888TW"),
        ("", None),
        ("A", None),
        ("ABC/1234", None),
        ("ABCDEFGHIJK", None),
    ],
)
def test_plates_are_compared_without_hyphens_and_widths(text: str, kept: str | None) -> None:
    assert plates.normal(text) == kept


@given(st.text(max_size=20))
def test_a_plate_in_its_normal_form_stays(text: str) -> None:
    kept = plates.normal(text)
    assert kept is None or plates.normal(kept) == kept
