"""The direction that explains the spectra of several microphones best.

The steered response over all frequencies, as SRP-PHAT, but with each bin weighted by what it
proves: the wideband maximum-likelihood estimate for one source in noise of unknown level per bin
(Chen, Hudson, Yao 2002, "approximate maximum likelihood"), which for equal levels is SRP-PHAT. So
the few harmonics of an engine count, and the hundreds of bins between them do not hide them. The
noise is taken for a diffuse field with some incoherent part (ISO 354's sin(kd)/kd), so that low
frequencies, where all microphones hear alike from everywhere, claim nothing.

A direction is sought as the slowness κ in the span of the array, relative to 1/c: a linear
parameter of every delay. First on a grid, then between its points by Gauss-Newton steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import special

from vigil_edge.noise.bearing.array import Array, MicrophoneArray
from vigil_edge.noise.bearing.spectra import Spectra, half_window

LOWEST_HZ: Final = 90.0
HIGHEST_HZ: Final = 5000.0
INCOHERENT: Final = 0.3
"""Share of the noise that each microphone has for itself: wind, electronics, unequal gains."""
FLOOR: Final = 3e-3
"""Share of a bin's energy that no model explains: reflections, positions off by a millimetre."""
SNAPSHOTS: Final = 3
FREEDOM: Final = 2.1
"""Independent ones among three that overlap by half."""
_GRID_PHASE: Final = 1.2
"""Most radians of phase between neighbours of the grid, at the array's radius."""
_GRID_WAVE: Final = 2 * math.pi * 4000.0 / 343.0
_EVERY: Final = 2
"""Of the bins, one in so many is looked at on the grid."""
_FEWEST_AZIMUTHS: Final = 48
_MOST_AZIMUTHS: Final = 180
_ELEVATIONS: Final = (-40.0, -15.0, 10.0)
_STEPS: Final = 4
_FREE_STEPS: Final = 2
"""The first ones, which find the right hill; the others find its top."""
_NOTHING: Final = 1e-15
"""Energy of a bin of digital silence; its square is a float32 still."""
_APART: Final = 0.35
"""Second starts are at least so far from the first, in slowness."""
_CLOSE: Final = 0.3
"""Nats per bin by which the grid's second best must be behind to be out of the question."""
_USUAL_CURVATURE: Final = 0.1
_CURVATURE_SPREAD: Final = 0.1
_MOST_CURVATURE: Final = 0.5
"""1/m: of a wave front, one over the distance. Sources stand 3 to 30 m away; a small array does
not see it, a large one must reckon with it."""


@dataclass(frozen=True, slots=True)
class Fits:
    """The best direction of each frame; all arrays have the frames as their first axis."""

    slowness: Array
    """(n, rank)."""
    covariance: Array
    """(n, rank, rank), of the slowness."""
    gain: Array
    """(n,) How much more likely one source there is than none, per bin: nats beyond noise's own."""
    share: Array
    """(n,) Of the energy, how much the direction explains, beyond what noise would: 0 to 1."""
    rival: Array
    """(n,) Gain of the best direction elsewhere, as ``gain``."""
    lines: Array
    """(n,) Over how many bins the energy is spread: few for a tone."""


class Search:
    """Of one array at one rate."""

    def __init__(self, array: MicrophoneArray, rate_hz: int) -> None:
        self.array = array
        size = 2 * half_window(rate_hz)
        spacing = rate_hz / size
        highest = min(HIGHEST_HZ, 0.45 * rate_hz)
        first, last = math.ceil(LOWEST_HZ / spacing), int(highest / spacing)
        self.bins = np.arange(first, last + 1)
        """Of the transform, that are looked at."""
        wave: Array = np.asarray(2 * np.pi * self.bins * spacing / array.speed_of_sound)
        self._wave = wave.astype(np.float32)
        """Radians a metre, (bins,)."""
        self._across = array.positions @ array.basis.T
        """Of the microphones, in the array's own span, (microphones, rank)."""
        self._squared = (array.positions**2).sum(axis=1)
        whitening = _whitening(array, wave)
        self._whitening = whitening.astype(np.complex64)
        """Symmetric."""
        self._grid, self._coarse = self._made_grid(wave)
        apart = np.linalg.norm(self._grid[:, None] - self._grid[None], axis=2)
        self._near = apart < _APART
        ahead = self._grid @ self._across.T
        steered = np.exp(1j * wave[self._coarse, None, None] * ahead[None])
        beams = steered @ whitening[self._coarse]
        beams /= np.linalg.norm(beams, axis=2, keepdims=True)
        self._beams = np.ascontiguousarray(beams.conj().transpose(0, 2, 1)).astype(np.complex64)
        """(bins of the grid, microphones, directions)."""

    def _made_grid(self, wave: Array) -> tuple[Array, npt.NDArray[np.int64]]:
        """Slownesses (n, rank), and the bins that they are fine enough for."""
        radius = max(self.array.radius_m, 1e-3) * math.sqrt(2.0)
        highest = min(float(wave[-1]), _GRID_WAVE)
        azimuths = int(
            np.clip(2 * math.pi * highest * radius / _GRID_PHASE, _FEWEST_AZIMUTHS, _MOST_AZIMUTHS)
        )
        finest = _GRID_PHASE * azimuths / (2 * math.pi * radius)
        count = max(8, int(np.searchsorted(wave, min(finest, highest))))
        angle = 2 * np.pi * np.arange(azimuths) / azimuths
        rings = []
        for elevation in (0.0,) if self.array.rank == 1 else np.radians(_ELEVATIONS):
            level = np.stack([np.cos(angle), np.sin(angle)], axis=1) * math.cos(elevation)
            rings.append(np.column_stack([level, np.full(azimuths, math.sin(elevation))]))
        grid = np.concatenate(rings) @ self.array.basis.T
        return grid, np.arange(0, min(count, len(wave)), _EVERY)

    def fit(self, spectra: Spectra) -> Fits:
        """``spectra``: (frames, snapshots, bins, microphones), each frame's snapshots together."""
        frames, snapshots, bins, microphones = spectra.shape
        # (bins, frames · snapshots, microphones): one matrix product per bin.
        by_bin = np.ascontiguousarray(spectra.transpose(2, 0, 1, 3))
        white = by_bin.reshape(bins, frames * snapshots, microphones) @ self._whitening
        energy = _inner(white, white).reshape(bins, frames, snapshots).sum(axis=2) + _NOTHING
        (first, likely), (second, elsewhere) = self._started(white, energy, frames, snapshots)
        heard = _Heard(white.reshape(bins, frames, snapshots, microphones), energy)
        best = self._refined(heard, first)
        rival = elsewhere - _expected(microphones)
        doubtful = np.flatnonzero(elsewhere > likely - _CLOSE)
        if len(doubtful):
            other = self._refined(heard.of(doubtful), second[doubtful])
            best, rival[doubtful] = _better(best, other, doubtful)
        lines = energy.sum(axis=0) ** 2 / (energy**2).sum(axis=0)
        return Fits(best.slowness, best.covariance, best.gain, best.share, rival, lines)

    def _started(
        self, white: Any, energy: npt.NDArray[Any], frames: int, snapshots: int
    ) -> list[tuple[Array, Array]]:
        """The grid's best slowness of each frame (frames, rank), and its best elsewhere, each
        with its likelihood per bin (frames,)."""
        total = np.zeros((frames, self._grid.shape[0]), np.float32)
        product = np.ones_like(total)
        for count, (index, beams) in enumerate(zip(self._coarse, self._beams, strict=True)):
            beam = _power(white[index] @ beams)
            summed = beam.reshape(frames, snapshots, -1).sum(axis=1)
            summed /= energy[index][:, None]
            product *= np.maximum(1.0 + FLOOR - summed, FLOOR)
            if count % 8 == 7:  # far from the smallest float: 0.003 to the eighth
                total -= np.log(product)
                product.fill(1.0)
        total -= np.log(product)
        total /= len(self._coarse)
        starts = []
        for _ in range(2):
            index = total.argmax(axis=1)
            starts.append((self._grid[index], total.max(axis=1)))
            total[self._near[index]] = -np.inf
        return starts

    def _refined(self, heard: _Heard, start: Array) -> _Found:
        """Gauss-Newton from one start: slowness and curvature of the wave front."""
        rank = self.array.rank
        point = np.column_stack([start, np.full(len(start), _USUAL_CURVATURE)])
        for step in range(_STEPS + 1):
            fit = self._fitted(heard, point)
            information, slope = self._step(heard, fit, point)
            if step == _STEPS:
                break
            move = self._move(information, slope, point, free=step < _FREE_STEPS)
            length = np.linalg.norm(move[:, :rank], axis=1, keepdims=True)
            point += move * np.minimum(1.0, 0.3 / np.maximum(length, 1e-9))
            point[:, :rank] *= self._drawn_in(point[:, :rank])
            point[:, rank] = np.clip(point[:, rank], 0.0, _MOST_CURVATURE)
        gain = -np.log(fit.unexplained).mean(axis=0) - _expected(heard.white.shape[3])
        share = 1.0 - (fit.unexplained * heard.energy).sum(axis=0) / heard.energy.sum(axis=0)
        covariance: Array = np.asarray(np.linalg.inv(information)[:, :rank, :rank])
        return _Found(point[:, :rank], covariance, gain, share)

    def _move(self, information: Array, slope: Array, point: Array, *, free: bool) -> Array:
        """The step to the best of the quadratic. An array in space has slownesses of length 1
        alone: where it is not ``free`` to leave them, the wave front's curvature is told apart
        from a length that there is not."""
        if free or self.array.rank < 3:
            return np.asarray(np.linalg.solve(information, slope[..., None])[..., 0])
        _, _, axes = np.linalg.svd(point[:, None, :3])
        along = np.zeros((len(point), 4, 3))
        along[:, :3, :2] = axes[:, 1:].transpose(0, 2, 1)
        along[:, 3, 2] = 1.0
        back = along.transpose(0, 2, 1)
        within = np.linalg.solve(back @ information @ along, back @ slope[..., None])
        return np.asarray((along @ within)[..., 0])

    def _drawn_in(self, slowness: Array) -> Array:
        """No wave is slower along the array than along its way: a factor to at most 1."""
        length = np.linalg.norm(slowness, axis=1, keepdims=True)
        wanted = np.ones_like(length) if self.array.rank == 3 else np.minimum(length, 1.0)
        return np.asarray(wanted / np.maximum(length, 1e-9))

    def _fitted(self, heard: _Heard, point: Array) -> _Fit:
        """The source that is heard if the direction is ``point``, and what it leaves."""
        rank = self.array.rank
        ahead = point[:, :rank] @ self._across.T
        bent = self._squared - ahead**2
        phase = (ahead - 0.5 * point[:, rank:] * bent).astype(np.float32)
        phase = self._wave[:, None, None] * phase[None]
        steering = np.empty(phase.shape, np.complex64)
        np.cos(phase, out=steering.real)
        np.sin(phase, out=steering.imag)
        beams = steering @ self._whitening
        norm = _inner(beams, beams)
        source = np.matmul(heard.white, beams.conj()[..., None])[..., 0] / norm[..., None]
        strength = _inner(source, source)
        unexplained = np.maximum(1.0 + FLOOR - strength * norm / heard.energy, FLOOR)
        return _Fit(steering, beams, norm, source, strength, unexplained, bent)

    def _step(self, heard: _Heard, fit: _Fit, point: Array) -> tuple[Array, Array]:
        """Information (n, p, p) and gradient (n, p) of the parameters: slowness, curvature."""
        _, frames, snapshots, microphones = heard.white.shape
        precision = snapshots * (microphones - 1) / (fit.unexplained * heard.energy)
        precision *= 2 * FREEDOM / snapshots
        # Σ s* y over the snapshots, per microphone.
        matched = np.matmul(fit.source.conj()[..., None, :], heard.white)[..., 0, :]
        ways = [np.broadcast_to(each, (frames, microphones)) for each in self._across.T]
        ways.append(-0.5 * fit.bent)
        slopes, gradient = [], np.zeros((frames, len(ways)))
        turned = fit.steering * (1j * self._wave)[:, None, None]
        for axis, way in enumerate(ways):
            # What a small step adds to the whitened beam, less what the source would take.
            slope = (turned * way.astype(np.float32)[None]) @ self._whitening
            slope -= (np.vecdot(fit.beams, slope) / fit.norm)[..., None] * fit.beams
            slopes.append(slope)
            gradient[:, axis] = (_inner(slope, matched) * precision).sum(axis=0)
        information = np.zeros((frames, len(ways), len(ways)))
        weight = fit.strength * precision
        for i, left in enumerate(slopes):
            for j in range(i, len(ways)):
                information[:, i, j] = (weight * _inner(left, slopes[j])).sum(axis=0)
                information[:, j, i] = information[:, i, j]
        curvature = len(ways) - 1
        information[:, range(curvature), range(curvature)] += 1.0
        information[:, curvature, curvature] += _CURVATURE_SPREAD**-2
        gradient[:, curvature] += (_USUAL_CURVATURE - point[:, curvature]) / _CURVATURE_SPREAD**2
        return information, gradient


@dataclass(frozen=True, slots=True)
class _Heard:
    """Whitened spectra (bins, frames, snapshots, microphones), and their energy (bins, frames)."""

    white: Any
    energy: Any

    def of(self, frames: npt.NDArray[np.int64]) -> _Heard:
        return _Heard(self.white[:, frames], self.energy[:, frames])


@dataclass(frozen=True, slots=True)
class _Fit:
    steering: Any
    """(bins, frames, microphones)."""
    beams: Any
    """The same, whitened."""
    norm: Any
    """(bins, frames) Of the beams, squared."""
    source: Any
    """(bins, frames, snapshots)."""
    strength: Any
    """(bins, frames) Squared, over the snapshots."""
    unexplained: Any
    """(bins, frames) Share of the energy."""
    bent: Array
    """(frames, microphones) Squared distance from the line of sight, m²."""


@dataclass(frozen=True, slots=True)
class _Found:
    slowness: Array
    covariance: Array
    gain: Array
    share: Array


def _better(best: _Found, other: _Found, frames: npt.NDArray[np.int64]) -> tuple[_Found, Array]:
    """Of the frames that were sought twice, the better; and the gain of the other, -inf where
    both are the same."""
    swap = other.gain > best.gain[frames]
    apart = np.linalg.norm(other.slowness - best.slowness[frames], axis=1) > _APART / 2
    rival = np.where(apart, np.minimum(other.gain, best.gain[frames]), -np.inf)
    chosen = []
    for kept, new in (
        (best.slowness, other.slowness),
        (best.covariance, other.covariance),
        (best.gain, other.gain),
        (best.share, other.share),
    ):
        merged = kept.copy()
        merged[frames[swap]] = new[swap]
        chosen.append(merged)
    return _Found(*chosen), rival


def _inner(left: Any, right: Any) -> Any:
    """Real part of the inner product over the last axis, as of twice as many real numbers: numpy
    sums a handful of numbers four times faster so than by ``sum`` over a short axis."""
    return np.einsum("...x,...x->...", _reals(left), _reals(right))


def _reals(values: Any) -> Any:
    return np.ascontiguousarray(values).view(values.real.dtype)


def _expected(microphones: int) -> float:
    """Mean of -log of the share that one given direction leaves unexplained of pure noise: the
    share is a beta variable with the degrees of freedom that are left and that are taken."""
    return float(
        special.digamma(FREEDOM * microphones) - special.digamma(FREEDOM * (microphones - 1))
    )


def _power(values: Any) -> Any:
    return values.real**2 + values.imag**2


def _whitening(array: MicrophoneArray, wave: Array) -> Array:
    """(bins, microphones, microphones): makes noise of the model equal and independent."""
    apart = np.linalg.norm(array.positions[:, None] - array.positions[None], axis=2)
    coherence = np.sinc(wave[:, None, None] * apart[None] / np.pi)
    noise = (1 - INCOHERENT) * coherence + INCOHERENT * np.eye(len(array.positions))
    values, vectors = np.linalg.eigh(noise)
    return np.asarray((vectors / np.sqrt(values)[:, None, :]) @ vectors.transpose(0, 2, 1))
