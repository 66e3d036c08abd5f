"""Frequency weightings A, C and Z (IEC 61672-1:2013, 5.5 and annex E) as streaming filters.

The analogue poles of A and C are those of annex E. Their low-frequency part goes
through the bilinear transform, which is exact enough there. The double pole at
12.2 kHz is not: near half the sampling rate the transform presses the response
towards zero (0.2 dB low on pink noise at 48 kHz). For that part a filter of
second order is fitted to the analogue magnitude instead; see ``_upper_section``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
PRIME_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Weighted:
    """One block after the three weightings, each of shape (n,), pascal."""

    A: Samples
    C: Samples
    Z: Samples


def _at(sos: Samples, hz: float, rate_hz: float) -> float:
    _, response = signal.sosfreqz(sos, worN=[hz], fs=rate_hz)
    return float(np.abs(response[0]))


def _lower_section(rate_hz: float, f_a: float, f_b: float) -> Samples:
    """Two zeros at 0 Hz and poles at ``f_a``, ``f_b``: shape (1, 6), unscaled."""
    k = 2.0 * rate_hz
    # The bilinear transform moves a pole; it is put where it lands right.
    poles = [-k * np.tan(np.pi * f / rate_hz) for f in (f_a, f_b)]
    zeros, moved, gain = signal.bilinear_zpk([0.0, 0.0], poles, 1.0, rate_hz)
    return np.asarray(signal.zpk2sos(zeros, moved, gain), dtype=np.float64)


def _upper_section(rate_hz: float) -> Samples:
    """The double pole at 12.2 kHz: shape (1, 6), gain 1 at 0 Hz.

    A squared magnitude of second order is a ratio of two polynomials in
    x = sin²(ω/2). Both are fitted to 1 / (1 + (f/f4)²)² up to half the rate, by
    least squares on the relative error (Sanathanan-Koerner iteration), and the
    stable, minimum-phase filter with that magnitude is factored out.
    """
    # The squared spacing puts the points where pink noise has its energy.
    hz = 0.5 * rate_hz * np.linspace(0.0, 0.995, 400)
    x = np.sin(np.pi * hz / rate_hz) ** 2
    wanted = 1.0 / (1.0 + (hz / F4_HZ) ** 2) ** 2
    # Above 20 kHz nothing is asked for; there the fit may give way.
    care = np.where(hz <= 20000.0, 1.0, 0.05)
    denominator = np.ones_like(x)
    for _ in range(30):
        weight = care / (wanted * denominator)
        # (1 + b1 x + b2 x²) - wanted (1 + a1 x + a2 x²) = 0
        rows = np.stack([x, x**2, -wanted * x, -wanted * x**2], axis=1) * weight[:, None]
        b1, b2, a1, a2 = np.linalg.lstsq(rows, (wanted - 1.0) * weight, rcond=None)[0]
        denominator = 1.0 + a1 * x + a2 * x**2
    section = np.concatenate([_minimum_phase(b1, b2), _minimum_phase(a1, a2)])
    section[:3] *= section[3:].sum() / section[:3].sum()
    section /= section[3]
    return section[np.newaxis, :]


def _minimum_phase(c1: float, c2: float) -> Samples:
    """Coefficients in z⁻¹ of the polynomial whose squared magnitude is 1 + c1 x + c2 x²."""
    roots = []
    for x in np.roots([c2, c1, 1.0]):
        # x = (2 - z - 1/z) / 4, so z² - (2 - 4x) z + 1 = 0; the two roots are reciprocal.
        pair = np.roots([1.0, -(2.0 - 4.0 * x), 1.0])
        roots.append(pair[np.argmin(np.abs(pair))])
    return np.real(np.poly(roots)).astype(np.float64)


@lru_cache(maxsize=16)
def c_sections(rate_hz: int) -> Samples:
    """C weighting at ``rate_hz``: shape (2, 6), 0 dB at 1 kHz."""
    if rate_hz < MIN_RATE_HZ:
        raise ValueError(f"{rate_hz} Hz is too slow for a weighting; record at 44100 Hz or more")
    sections = np.vstack([_lower_section(rate_hz, F1_HZ, F1_HZ), _upper_section(rate_hz)])
    sections[0, :3] /= _at(sections, 1000.0, rate_hz)
    return sections


@lru_cache(maxsize=16)
def a_after_c_sections(rate_hz: int) -> Samples:
    """What makes A out of C, the poles at 108 Hz and 738 Hz: shape (1, 6), 0 dB at 1 kHz."""
    section = _lower_section(rate_hz, F2_HZ, F3_HZ)
    section[0, :3] /= _at(section, 1000.0, rate_hz)
    return section


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
    _, response = signal.sosfreqz(sections, worN=np.asarray(hz, dtype=np.float64), fs=rate_hz)
    return np.asarray(20.0 * np.log10(np.abs(response)), dtype=np.float64)


@dataclass(slots=True)
class Weightings:
    """The three filters of one channel with their memory; feed blocks in order.

    A is made from C's output, so all three cost six second-order sections at 48 kHz.
    """

    rate_hz: int
    _c: Samples = field(init=False)
    _a: Samples = field(init=False)
    _z: Samples = field(init=False)

    def __post_init__(self) -> None:
        self._c = np.zeros((len(c_sections(self.rate_hz)), 2))
        self._a = np.zeros((1, 2))
        self._z = np.zeros((len(z_sections(self.rate_hz)), 2))

    def prime(self, beginning: Samples) -> None:
        """Settle the filters on a signal that was already there, before the first block.

        The beginning, mirrored in time, stands for what came before it: offset and
        value go on unbroken, so the filters do not ring at the first sample. Shape (n,),
        pascal; ``PRIME_S`` of it is enough.
        """
        self(beginning[::-1])

    def __call__(self, block: Samples) -> Weighted:
        """Weight the next block, shape (n,), pascal."""
        c, self._c = signal.sosfilt(c_sections(self.rate_hz), block, zi=self._c)
        a, self._a = signal.sosfilt(a_after_c_sections(self.rate_hz), c, zi=self._a)
        z, self._z = signal.sosfilt(z_sections(self.rate_hz), block, zi=self._z)
        for memory in (self._c, self._a, self._z):
            # In digital silence the memory dies away into denormal numbers, which are slow.
            memory[np.abs(memory) < 1e-60] = 0.0
        return Weighted(a, c, z)
