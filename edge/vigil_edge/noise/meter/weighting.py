"""Frequency weightings A, C and Z (IEC 61672-1:2013, 5.5 and annex E) as digital filters.

The analogue poles of A and C are those of annex E. Those at low frequencies are mapped
into the z plane, which is exact enough there. For the double pole at 12.2 kHz it is not
(and a bilinear transform would read 0.2 dB low on pink noise at 48 kHz): what is missing
to the analogue magnitude is fitted instead; see ``_fitted``. At every rate from 8 kHz the
result lies within 0.02 dB of the analogue curve up to 16 kHz, and 0.03 dB up to 20 kHz.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from vigil_edge.noise.sound.pcm import MIN_RATE_HZ

Samples = npt.NDArray[np.float64]

F1_HZ: Final = 20.598997
F2_HZ: Final = 107.65265
F3_HZ: Final = 737.86223
F4_HZ: Final = 12194.217
Z_LOWER_HZ: Final = 4.4
Z_UPPER_HZ: Final = 23000.0
"""Z is flat from 10 Hz to 20 kHz; table 3 asks nothing beyond. A meter must end somewhere:
offset, infrasound and what lies above hearing are no sound. Here it ends where a
type-approved NTi XL2 does: a high-pass of fourth order (0.01 dB down at 10 Hz) and a
low-pass of second. With these two, every LZ column of that meter's log (Leq, F, S, and the
peaks, which tell phases apart) moves as ours to within the log's rounding; without the
low-pass, or with a high-pass of another order, they scatter two to four times as much.
Outdoors, where wind rumbles, LZeq depends on the high-pass."""
CLASS_1_RATE_HZ: Final = 44100
"""Below this the 20 kHz that class 1 asks for do not fit under half the rate."""
_CARE: Final = ((16500.0, 1.0), (20000.0, 0.3))
"""Up to which frequency the fit weighs how much."""
_CARE_BEYOND: Final = (0.1, 0.3, 1.0)
"""Beyond hearing it may give way, as far as there is a filter with such a magnitude."""


def analogue(hz: npt.ArrayLike, weighting: str) -> Samples:
    """Annex E: magnitude squared of ``A`` or ``C``, not yet 1 at 1 kHz; of the shape of ``hz``."""
    square = np.asarray(hz, dtype=np.float64) ** 2
    c = (F4_HZ**2 * square / ((square + F1_HZ**2) * (square + F4_HZ**2))) ** 2
    if weighting == "C":
        return np.asarray(c)
    return np.asarray(c * square**2 / ((square + F2_HZ**2) * (square + F3_HZ**2)))


def _magnitude(sos: Samples, hz: npt.ArrayLike, rate_hz: float) -> Samples:
    _, response = signal.sosfreqz(sos, worN=np.asarray(hz, dtype=np.float64), fs=rate_hz)
    return np.asarray(np.abs(response), dtype=np.float64)


def _lower_section(rate_hz: float, f_a: float, f_b: float) -> Samples:
    """Two zeros at 0 Hz and poles at ``f_a``, ``f_b``: shape (1, 6), unscaled.

    Poles and zeros are mapped by z = exp(sT): below and above its poles such a section is off
    by the same factor, to (f/rate)², where the bilinear transform bends it.
    """
    poles = np.exp([-2.0 * np.pi * f / rate_hz for f in (f_a, f_b)])
    return np.array([[1.0, -2.0, 1.0, 1.0, -poles.sum(), poles.prod()]])


def _fitted(sections: Samples, weighting: str, rate_hz: float, zeros: int, poles: int) -> Samples:
    """What makes the analogue curve of ``weighting`` out of ``sections``: shape (k, 6).

    A filter's squared magnitude is a ratio of two polynomials in x = sin²(ω/2), whose
    degrees are its numbers of zeros and poles. Both are fitted up to half the rate by least
    squares on the relative error (Sanathanan-Koerner iteration), and the stable,
    minimum-phase filter with that magnitude is factored out.
    """
    # The squared spacing puts the points where pink noise has its energy.
    hz = np.maximum(0.5 * rate_hz * np.linspace(0.0, 0.995, 600), 5.0)
    x = np.sin(np.pi * hz / rate_hz) ** 2
    wanted = analogue(hz, weighting) / _magnitude(sections, hz, rate_hz) ** 2
    wanted /= wanted[0]
    above = np.stack([x**k for k in range(1, zeros + 1)], axis=1)
    below = np.stack([x**k for k in range(1, poles + 1)], axis=1) if poles else np.zeros((600, 0))
    for beyond in _CARE_BEYOND:
        care = np.select(
            [hz <= limit for limit, _ in _CARE], [weight for _, weight in _CARE], beyond
        )
        found = _least_squares(above, below, wanted, care)
        if (1.0 + above @ found[:zeros] > 0.0).all():
            break
    placed = _inside(found[:zeros]), _inside(found[zeros:])
    return np.asarray(signal.zpk2sos(*placed, 1.0), dtype=np.float64)


def _least_squares(above: Samples, below: Samples, wanted: Samples, care: Samples) -> Samples:
    """Coefficients of numerator and denominator, shape (zeros + poles,); see ``_fitted``."""
    denominator = np.ones_like(wanted)
    for _ in range(60):
        weight = care / (wanted * denominator)
        rows = np.hstack([above, -wanted[:, None] * below]) * weight[:, None]
        found = np.linalg.lstsq(rows, (wanted - 1.0) * weight, rcond=None)[0]
        denominator = 1.0 + below @ found[above.shape[1] :]
    return np.asarray(found, dtype=np.float64)


def _inside(coefficients: Samples) -> npt.NDArray[np.complex128]:
    """Roots in z within the unit circle of the polynomial 1 + c1 x + c2 x² and so on."""
    roots = []
    for x in np.roots([*coefficients[::-1], 1.0]):
        # x = (2 - z - 1/z) / 4, so z² - (2 - 4x) z + 1 = 0; the two roots are reciprocal.
        pair = np.roots([1.0, -(2.0 - 4.0 * x), 1.0])
        roots.append(pair[np.argmin(np.abs(pair))])
    return np.asarray(roots, dtype=np.complex128)


def _unity(sections: Samples, rate_hz: float, before: Samples | None = None) -> Samples:
    """The same sections with 0 dB at 1 kHz, behind ``before`` where given."""
    whole = sections if before is None else np.vstack([before, sections])
    sections[0, :3] /= _magnitude(whole, [1000.0], rate_hz)[0]
    return sections


@lru_cache(maxsize=16)
def c_sections(rate_hz: int) -> Samples:
    """C weighting at ``rate_hz``: shape (3, 6), 0 dB at 1 kHz."""
    if rate_hz < MIN_RATE_HZ:
        raise ValueError(f"{rate_hz} Hz is too slow for a weighting; record at 44100 Hz or more")
    lower = _lower_section(rate_hz, F1_HZ, F1_HZ)
    return _unity(np.vstack([lower, _fitted(lower, "C", rate_hz, 3, 3)]), rate_hz)


@lru_cache(maxsize=16)
def a_after_c_sections(rate_hz: int) -> Samples:
    """What makes A out of C, the poles at 108 Hz and 738 Hz: shape (k, 6), 0 dB at 1 kHz."""
    lower = _lower_section(rate_hz, F2_HZ, F3_HZ)
    before = c_sections(rate_hz)
    if rate_hz >= CLASS_1_RATE_HZ:
        return _unity(lower, rate_hz, before)
    # At low rates the pole at 738 Hz is not far from the end of the band, either.
    rest = _fitted(np.vstack([before, lower]), "A", rate_hz, 1, 0)
    return _unity(np.vstack([lower, rest]), rate_hz, before)


@lru_cache(maxsize=16)
def z_sections(rate_hz: int) -> Samples:
    """Z weighting: Butterworth filters below and above the band: shape (k, 6), 0 dB between."""
    sections = [signal.butter(4, Z_LOWER_HZ, "highpass", fs=rate_hz, output="sos")]
    if rate_hz > 2 * Z_UPPER_HZ:
        # Near half the rate the bilinear transform makes two poles steep; farther away it
        # takes eight to be as flat at 20 kHz.
        order = 2 if rate_hz <= 48000 else 8
        sections.append(signal.butter(order, Z_UPPER_HZ, fs=rate_hz, output="sos"))
    return np.asarray(np.vstack(sections), dtype=np.float64)


def response_db(weighting: str, hz: npt.ArrayLike, rate_hz: int) -> Samples:
    """Magnitude in dB of weighting ``A``, ``C`` or ``Z`` at frequencies ``hz``, shape (k,)."""
    sections = {
        "A": lambda: np.vstack([c_sections(rate_hz), a_after_c_sections(rate_hz)]),
        "C": lambda: c_sections(rate_hz),
        "Z": lambda: z_sections(rate_hz),
    }[weighting]()
    return np.asarray(20.0 * np.log10(_magnitude(sections, hz, rate_hz)), dtype=np.float64)
