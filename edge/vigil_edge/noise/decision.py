"""From a passage's highest level to whether it exceeded a limit: correction, uncertainty, rule.

Background: an energetic subtraction where it lies 3 to 10 dB below; nothing above 10 dB; under
3 dB no level of the passage can be had, and where no background was measured nothing can be
founded on the level. Distance: a point source, 6 dB for each doubling.
Uncertainty: the root of the sum of the squared standard uncertainties (JCGM 100); expanded
with k = 2. An exceedance is only what stands above the limit by more than that; what does not
is a borderline, which is counted and told. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

COVERAGE: Final = 2.0
NO_CORRECTION_DB: Final = 10.0
LEAST_MARGIN_DB: Final = 3.0
_LEAST_SCATTER_DB: Final = 0.5
_UNKNOWN_BACKGROUND_DB: Final = 0.5
"""What a background that nobody measured may add where it is 10 dB below, nearly."""
Decision = Literal["exceedance", "borderline", "not-valid"]
BACKGROUND: Final = "background"
NO_BACKGROUND: Final = "background-not-measured"


@dataclass(frozen=True, slots=True)
class Budget:
    """Standard uncertainties of the instrument, dB; from its certificates, else class 1's."""

    calibration_db: float = 0.15
    """Of the calibrator and of setting the sensitivity by it."""
    instrument_db: float = 0.4
    """Weighting, linearity, directivity, windscreen, temperature, for traffic (ISO 1996-2)."""
    drift_db: float = 0.1
    """Of the sensitivity between two calibrations."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Between microphone and lane, and what the level is stated for; metres."""

    measured_m: float
    uncertainty_m: float
    reference_m: float

    @property
    def correction_db(self) -> float:
        """To be added to the level at the microphone."""
        return 20.0 * math.log10(self.measured_m / self.reference_m)

    @property
    def uncertainty_db(self) -> float:
        """Standard uncertainty of the correction."""
        return 20.0 / math.log(10.0) * self.uncertainty_m / self.measured_m


@dataclass(frozen=True, slots=True)
class Judged:
    """What a passage comes to."""

    LAFmax_corrected: float | None
    """dB(A); ``None`` where the background leaves no level of the passage. Not corrected where no
    background was measured."""
    uncertainty_db: float
    """Combined standard uncertainty (k = 1)."""
    expanded_db: float
    """k = 2."""
    components: dict[str, float] = field(hash=False)
    """Each standard uncertainty, dB, by name."""
    decision: Decision
    reasons: tuple[str, ...]
    """Why it is not valid: flags, ``background`` (less than 3 dB below) or
    ``background-not-measured``."""


def judged(  # noqa: PLR0913 - the passage, its limit, and what is known of the place
    LAFmax: float,
    background_db: float | None,
    scatter_db: float | None,
    limit_db: float,
    *,
    flags: frozenset[str] = frozenset(),
    budget: Budget | None = None,
    distance: Distance | None = None,
) -> Judged:
    """Correct, bound and decide. ``scatter_db``: standard deviation of the background's level."""
    used = budget or Budget()
    components = {
        "calibration": used.calibration_db,
        "instrument": used.instrument_db,
        "drift": used.drift_db,
    }
    corrected, components["background"] = _without(LAFmax, background_db, scatter_db)
    if distance is not None:
        components["distance"] = distance.uncertainty_db
        corrected = None if corrected is None else corrected + distance.correction_db
    combined = math.sqrt(math.fsum(value**2 for value in components.values()))
    expanded = COVERAGE * combined
    reasons = (*sorted(flags), *_amiss(corrected, background_db))
    decision: Decision = "borderline"
    if reasons or corrected is None:
        decision = "not-valid"
    elif corrected - expanded > limit_db:
        decision = "exceedance"
    return Judged(corrected, combined, expanded, components, decision, reasons)


def _amiss(corrected: float | None, background_db: float | None) -> tuple[str, ...]:
    """What of the background leaves nothing to found a case on."""
    if background_db is None:
        return (NO_BACKGROUND,)
    return (BACKGROUND,) if corrected is None else ()


def _without(
    level_db: float, background_db: float | None, scatter_db: float | None
) -> tuple[float | None, float]:
    """The level without the background, and the standard uncertainty that this leaves."""
    if background_db is None:
        return level_db, _UNKNOWN_BACKGROUND_DB
    margin = level_db - background_db
    share = 10.0 ** (-margin / 10.0)
    if margin >= NO_CORRECTION_DB:
        # What is not taken off is known to lie between nothing and this (rectangular).
        return level_db, -10.0 * math.log10(1.0 - share) / math.sqrt(3.0)
    if margin < LEAST_MARGIN_DB:
        return None, 0.0
    slope = share / (1.0 - share)
    scatter = max(_LEAST_SCATTER_DB, scatter_db or 0.0)
    return level_db + 10.0 * math.log10(1.0 - share), slope * scatter
