"""The loops over samples, compiled by numba; ``chain.py`` holds the same in SciPy.

All work on whole slices, one channel at a time, with the filters' memory in arrays that
are changed in place. Sections are rows b0 b1 b2 a1 a2; memories are of the transposed
direct form II, as SciPy's.
"""

from __future__ import annotations

from typing import Final

import numba

from vigil_edge.noise.meter.compiling import compiled as _compiled
from vigil_edge.noise.meter.lanes import CHAINS, LANES, weigh_lanes

__all__ = ["CHAINS", "LANES", "SUMS", "bands", "halve", "shape", "weigh", "weigh_lanes"]
SUMS: Final = 8
"""Columns of what ``weigh`` finds: ΣA², ΣC², ΣZ², LAF max, min and at the end, LAS max, max |C|."""


@_compiled(
    "void(f8[::1],f8,f8[:,::1],f8[:,::1],f8[:,::1],f8[:,::1],f8[:,::1],f8[:,::1],"
    "f8[::1],f8[::1],i8[::1],f8[::1],f8[::1],f8[:,::1])"
)
def weigh(  # type: ignore[no-untyped-def]  # noqa: PLR0913 - numba's own types stand in the signature
    units,
    scale,
    c,
    a,
    z,
    c_memory,
    a_memory,
    z_memory,
    decay,
    running,
    edges,
    fast_out,
    c_out,
    sums,
):
    """Weight every sample, average it Fast and Slow, and sum up each slice; see ``SUMS``.

    C has three sections, A at least one and Z at least two; those beyond are looped over.
    """
    c00, c01, c02, c03, c04 = c[0, 0], c[0, 1], c[0, 2], c[0, 3], c[0, 4]
    c10, c11, c12, c13, c14 = c[1, 0], c[1, 1], c[1, 2], c[1, 3], c[1, 4]
    c20, c21, c22, c23, c24 = c[2, 0], c[2, 1], c[2, 2], c[2, 3], c[2, 4]
    a00, a01, a02, a03, a04 = a[0, 0], a[0, 1], a[0, 2], a[0, 3], a[0, 4]
    z00, z01, z02, z03, z04 = z[0, 0], z[0, 1], z[0, 2], z[0, 3], z[0, 4]
    z10, z11, z12, z13, z14 = z[1, 0], z[1, 1], z[1, 2], z[1, 3], z[1, 4]
    p0, q0 = c_memory[0, 0], c_memory[0, 1]
    p1, q1 = c_memory[1, 0], c_memory[1, 1]
    p2, q2 = c_memory[2, 0], c_memory[2, 1]
    r0, s0 = a_memory[0, 0], a_memory[0, 1]
    u0, v0 = z_memory[0, 0], z_memory[0, 1]
    u1, v1 = z_memory[1, 0], z_memory[1, 1]
    fast, slow = running[0], running[1]
    fast_share, slow_share = 1.0 - decay[0], 1.0 - decay[1]
    fast_decay, slow_decay = decay[0], decay[1]
    for index in range(len(edges) - 1):
        sum_a = sum_c = sum_z = 0.0
        fast_max = slow_max = c_max = 0.0
        fast_min = 1e300
        for n in range(edges[index], edges[index + 1]):
            x = units[n] * scale
            y = c00 * x + p0
            p0 = c01 * x - c03 * y + q0
            q0 = c02 * x - c04 * y
            w = c10 * y + p1
            p1 = c11 * y - c13 * w + q1
            q1 = c12 * y - c14 * w
            y = c20 * w + p2
            p2 = c21 * w - c23 * y + q2
            q2 = c22 * w - c24 * y
            c_out[n] = y
            sum_c += y * y
            c_max = max(c_max, abs(y))
            w = a00 * y + r0
            r0 = a01 * y - a03 * w + s0
            s0 = a02 * y - a04 * w
            for k in range(1, len(a)):
                y = w
                w = a[k, 0] * y + a_memory[k, 0]
                a_memory[k, 0] = a[k, 1] * y - a[k, 3] * w + a_memory[k, 1]
                a_memory[k, 1] = a[k, 2] * y - a[k, 4] * w
            square = w * w
            sum_a += square
            fast = fast_share * square + fast_decay * fast
            slow = slow_share * square + slow_decay * slow
            fast_out[n] = fast
            fast_max = max(fast_max, fast)
            fast_min = min(fast_min, fast)
            slow_max = max(slow_max, slow)
            y = z00 * x + u0
            u0 = z01 * x - z03 * y + v0
            v0 = z02 * x - z04 * y
            w = z10 * y + u1
            u1 = z11 * y - z13 * w + v1
            v1 = z12 * y - z14 * w
            for k in range(2, len(z)):
                y = w
                w = z[k, 0] * y + z_memory[k, 0]
                z_memory[k, 0] = z[k, 1] * y - z[k, 3] * w + z_memory[k, 1]
                z_memory[k, 1] = z[k, 2] * y - z[k, 4] * w
            sum_z += w * w
        sums[index, 0], sums[index, 1], sums[index, 2] = sum_a, sum_c, sum_z
        sums[index, 3], sums[index, 4], sums[index, 5] = fast_max, fast_min, fast
        sums[index, 6], sums[index, 7] = slow_max, c_max
    c_memory[0, 0], c_memory[0, 1] = p0, q0
    c_memory[1, 0], c_memory[1, 1] = p1, q1
    c_memory[2, 0], c_memory[2, 1] = p2, q2
    a_memory[0, 0], a_memory[0, 1] = r0, s0
    z_memory[0, 0], z_memory[0, 1] = u0, v0
    z_memory[1, 0], z_memory[1, 1] = u1, v1
    running[0], running[1] = fast, slow


@numba.njit(error_model="numpy")
def _longest_run(part, run):  # type: ignore[no-untyped-def] # as above
    """Length of the run at the end, and of the longest, with its value; ``run``: of the first."""
    # Whole numbers: each waits for the one before it, and floats take longer to add.
    longest, last, at = int(run), int(run), 0
    for n in range(1, len(part)):
        last = last + 1 if part[n] == part[n - 1] else 1
        if last > longest:
            longest, at = last, n
    return float(last), float(longest), part[at]


@_compiled("void(f8[::1],i8[::1],f8[::1],f8[:,::1])", fast=True)
def shape(units, edges, before, found):  # type: ignore[no-untyped-def] # as above
    """Of each slice: least, most, Σx, Σx², Σ of its first and second difference squared, and
    the longest run of equal samples that ends in it or goes on, with its value.

    ``before`` holds the two samples before the first and the length of the run that the
    last of them belongs to, and is left with those of the end.
    """
    same, run = before[1], before[2]
    for index in range(len(edges) - 1):
        part = units[edges[index] : edges[index + 1]]
        begin = edges[index]
        least = most = part[0]
        total = squares = first = second = 0.0
        for n in range(len(part)):
            least = min(least, part[n])
            most = max(most, part[n])
            total += part[n]
            squares += part[n] * part[n]
        for n in range(min(2, len(part))):
            one = units[begin + n - 1] if begin + n >= 1 else before[1]
            two = units[begin + n - 2] if begin + n >= 2 else before[begin + n]
            first += (part[n] - one) ** 2
            second += (part[n] - 2.0 * one + two) ** 2
        alike = 0
        for n in range(len(part) - 2):
            rise = part[n + 2] - part[n + 1]
            bend = rise - (part[n + 1] - part[n])
            first += rise * rise
            second += bend * bend
            alike += rise == 0.0
        run = run + 1.0 if part[0] == same else 1.0
        longest, at = run, part[0]
        if alike or (len(part) > 1 and part[1] == part[0]):
            run, longest, at = _longest_run(part, run)
        elif len(part) > 1:
            run = 1.0
        same = part[len(part) - 1]
        found[index, 6], found[index, 7] = longest, at
        found[index, 0], found[index, 1], found[index, 2] = least, most, total
        found[index, 3], found[index, 4], found[index, 5] = squares, first, second
    last = edges[len(edges) - 1]
    if last >= 2:
        before[0], before[1] = units[last - 2], units[last - 1]
    elif last == 1:
        before[0], before[1] = before[1], units[0]
    before[2] = run


@_compiled("void(f8[::1],f8[::1],f8[::1])")
def halve(samples, taps, out):  # type: ignore[no-untyped-def] # as above
    """Every second value of ``samples`` behind a symmetric half-band filter of 4k + 3 taps.

    ``samples`` begins with one tap fewer than there are of what came before.
    """
    middle = len(taps) // 2
    for m in range(len(out)):
        begin = 2 * m
        total = taps[middle] * samples[begin + middle]
        for k in range(0, middle, 2):  # every second tap is zero
            total += taps[k] * (samples[begin + k] + samples[begin + len(taps) - 1 - k])
        out[m] = total


@_compiled("void(f8[::1],f8[:,::1],f8[:,::1],f8[::1])")
def bands(samples, sections, memory, energy):  # type: ignore[no-untyped-def] # as above
    """Filter ``samples`` by each band's four sections and add up its squares in ``energy``."""
    for band in range(len(energy)):
        k = 4 * band
        b00, b01, b02 = sections[k, 0], sections[k, 1], sections[k, 2]
        a01, a02 = sections[k, 3], sections[k, 4]
        b10, b11, b12 = sections[k + 1, 0], sections[k + 1, 1], sections[k + 1, 2]
        a11, a12 = sections[k + 1, 3], sections[k + 1, 4]
        b20, b21, b22 = sections[k + 2, 0], sections[k + 2, 1], sections[k + 2, 2]
        a21, a22 = sections[k + 2, 3], sections[k + 2, 4]
        b30, b31, b32 = sections[k + 3, 0], sections[k + 3, 1], sections[k + 3, 2]
        a31, a32 = sections[k + 3, 3], sections[k + 3, 4]
        p0, q0 = memory[k, 0], memory[k, 1]
        p1, q1 = memory[k + 1, 0], memory[k + 1, 1]
        p2, q2 = memory[k + 2, 0], memory[k + 2, 1]
        p3, q3 = memory[k + 3, 0], memory[k + 3, 1]
        total = 0.0
        for n in range(len(samples)):
            x = samples[n]
            y = b00 * x + p0
            p0 = b01 * x - a01 * y + q0
            q0 = b02 * x - a02 * y
            x = b10 * y + p1
            p1 = b11 * y - a11 * x + q1
            q1 = b12 * y - a12 * x
            y = b20 * x + p2
            p2 = b21 * x - a21 * y + q2
            q2 = b22 * x - a22 * y
            x = b30 * y + p3
            p3 = b31 * y - a31 * x + q3
            q3 = b32 * y - a32 * x
            total += x * x
        memory[k, 0], memory[k, 1] = p0, q0
        memory[k + 1, 0], memory[k + 1, 1] = p1, q1
        memory[k + 2, 0], memory[k + 2, 1] = p2, q2
        memory[k + 3, 0], memory[k + 3, 1] = p3, q3
        energy[band] += total
