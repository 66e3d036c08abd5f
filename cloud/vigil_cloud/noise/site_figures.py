"""The shapes of figures by site and hour (``site_statistics.py``), and the same as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from vigil_cloud.spreadsheets import table
from vigil_schemas.types import UtcDatetime


class _Figures(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Counts(_Figures):
    """Passages louder than the threshold, by what became of them."""

    exceedances: int
    """That found a case, with those whose veto was overruled."""
    borderline: int
    not_valid: int
    vetoed: int
    """That were no vehicle by the classifier, and nobody overruled."""
    overruled: int
    """Of the exceedances: the classifier had vetoed them."""
    cases: int
    decided: int
    violations: int

    @property
    def actionable_share(self) -> float | None:
        """Decided violations per exceedance."""
        return self.violations / self.exceedances if self.exceedances else None


class HourCounts(Counts):
    """Of one hour of the day, by the city's clock."""

    hour: int


class Span(_Figures):
    """What was measured and complained of in one span."""

    first: date
    last: date
    measured_hours: int
    """Hours of which there are levels; of an hour with several devices, each counts."""
    LAeq: float | None
    """dB re 20 µPa, mean of the energy over the measured hours."""
    by_hour: list[float | None]
    """The same for each hour of the day."""
    passages_a_day: float | None
    """Louder than the threshold, vetoed ones left out, in 24 measured hours."""
    complaints: int
    complaints_a_month: float | None


class BeforeAndSince(_Figures):
    """Two spans of one length: before the site took effect, and since. Whole days."""

    effect: date
    """The first day of a limit with a warning sign; where none is registered, the day on which the
    first device was placed."""
    effect_is: Literal["sign", "placement"]
    days: int
    """Of each span, at most ``SPAN_DAYS``; the day itself belongs to neither."""
    before: Span
    since: Span


class SiteFigures(Counts):
    """One intersection; or what was measured by devices that stand at none."""

    intersection: str | None
    name: str
    name_zh: str
    devices: list[str]
    """Placed there now."""
    days_to_decision_median: float | None
    share: float | None
    """Actionable: decided violations per exceedance; null where there is none."""
    hours: list[HourCounts]
    """24 of them."""
    change: BeforeAndSince | None
    """Null where nothing was placed yet, or today."""


class SiteStatistics(_Figures):
    """Of passages that began in the period."""

    start: date | None
    stop: date | None
    made: UtcDatetime
    sites: list[SiteFigures]


COUNTS: Final = (
    *("exceedances", "borderline", "not_valid", "vetoed", "overruled"),
    *("cases", "decided", "violations"),
)
_SITES: Final = (
    *("intersection", "name", "name_zh", *COUNTS, "actionable_share", "days_to_decision_median"),
    *("effect", "effect_is", "days"),
    *("before_LAeq_dB", "since_LAeq_dB", "before_passages_a_day", "since_passages_a_day"),
    *("before_complaints", "since_complaints"),
)
_HOURS: Final = (
    *("intersection", "name", "name_zh", "hour", *COUNTS),
    *("before_LAeq_dB", "since_LAeq_dB"),
)


def sites_table(found: SiteStatistics) -> str:
    """CSV, one line for each site."""
    return table(_SITES, [_site(one) for one in found.sites])


def hours_table(found: SiteStatistics) -> str:
    """CSV, one line for each site and hour of the day."""
    return table(_HOURS, list(_hours(found.sites)))


def _site(one: SiteFigures) -> list[str]:
    about, compared = [""] * 3, [""] * 6
    if one.change is not None:
        change, spans = one.change, (one.change.before, one.change.since)
        about = [str(change.effect), change.effect_is, str(change.days)]
        compared = [
            *(_number(span.LAeq, 1) for span in spans),
            *(_number(span.passages_a_day, 2) for span in spans),
            *(str(span.complaints) for span in spans),
        ]
    counts = [str(getattr(one, name)) for name in COUNTS]
    share, days = _number(one.share, 4), _number(one.days_to_decision_median, 2)
    return [*_named(one), *counts, share, days, *about, *compared]


def _hours(sites: Sequence[SiteFigures]) -> Iterator[list[str]]:
    for one in sites:
        spans = () if one.change is None else (one.change.before, one.change.since)
        for counts in one.hours:
            levels = [_number(span.by_hour[counts.hour], 1) for span in spans] or ["", ""]
            said = [str(getattr(counts, name)) for name in COUNTS]
            yield [*_named(one), str(counts.hour), *said, *levels]


def _named(one: SiteFigures) -> list[str]:
    return [one.intersection or "", one.name, one.name_zh]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
