"""The weightings at the usual rates as one vector of sections; compiled by numba, see ``compiled``.

At 44.1 and 48 kHz C has three sections, A one behind them, and Z two or three. One after the
other each sample waits for seven multiplications in a row. Here each section is a lane of one
vector (SIMD) and works on the sample that the section before it finished one step ago: at step s
the lane at place k of its chain (C and A; Z, filled up with lanes that pass on) has sample s - k,
a systolic pipeline. The numbers are those of
``compiled.weigh`` to rounding. A processor without vectors of eight takes several narrower ones.

Coefficients and memories have the shape (5 or 2, ``LANES``): b0 b1 b2 a1 a2, and the transposed
direct form II's two memories, of every lane.
"""

# numba compiles these functions by types of its own, asks for these arguments by their names, and
# has no types for mypy.
# ruff: noqa: ARG001
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# mypy: disable-error-code="unreachable, import-untyped, misc, untyped-decorator"

from __future__ import annotations

import operator
from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, overload, register_model

from vigil_edge.noise.meter.compiling import compiled

LANES: Final = 8
CHAINS: Final = (4, 4)
"""Lanes of C with A, and of Z."""
_LAG: Final = 3
"""Samples by which the last lane of a chain is behind the first."""
_DOUBLES: Final = ir.VectorType(ir.DoubleType(), LANES)
_INT: Final = ir.IntType(64)
_PLACES: Final = [place for chain in CHAINS for place in range(chain)]
_SHIFTED: Final = [LANES, 0, 1, 2, LANES, 4, 5, 6]
"""Each lane takes what the lane before it gave; the first of each chain takes the new sample."""
_CONTRACT: Final = ("contract",)


class _Lanes(types.Type):
    """numba's type of one vector."""

    def __init__(self) -> None:
        super().__init__(name="eight_doubles")


_lanes: Final = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _DOUBLES)


def _constant(values: list[int], bits: int) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(bits), LANES), values)


@intrinsic
def _load(typing, row):
    """The eight values of a row as a vector."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        found = ir.Constant(_DOUBLES, ir.Undefined)
        for lane in range(LANES):
            place = builder.gep(array.data, [ir.Constant(_INT, lane)])
            found = builder.insert_element(found, builder.load(place), ir.Constant(_INT, lane))
        return found

    return _lanes(row), generate


@intrinsic
def _store(typing, row, vector):
    """The vector into a row of eight."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        for lane in range(LANES):
            value = builder.extract_element(args[1], ir.Constant(_INT, lane))
            builder.store(value, builder.gep(array.data, [ir.Constant(_INT, lane)]))
        return context.get_dummy_value()

    return types.void(row, vector), generate


def _lane_by_lane(operation: str) -> Any:
    """Two vectors by llvmlite's ``operation``, such as ``fmul``."""

    @intrinsic
    def of(typing, one, other):
        def generate(context, builder, signature, args):
            return getattr(builder, operation)(*args, flags=_CONTRACT)

        return _lanes(one, other), generate

    return of


_times, _plus, _minus = map(_lane_by_lane, ("fmul", "fadd", "fsub"))


@intrinsic
def _entered(typing, vector, sample):
    """Every lane's result one lane further; ``sample`` in the first lane of each chain."""

    def generate(context, builder, signature, args):
        new = builder.insert_element(
            ir.Constant(_DOUBLES, ir.Undefined), args[1], ir.Constant(_INT, 0)
        )
        return builder.shuffle_vector(args[0], new, _constant(_SHIFTED, 32))

    return _lanes(vector, sample), generate


@intrinsic
def _within(typing, step, samples, new, old):
    """``new`` in lanes that have one of the ``samples`` at ``step``, else ``old``."""

    def generate(context, builder, signature, args):
        vector = ir.VectorType(_INT, LANES)
        everywhere = [
            builder.shuffle_vector(
                builder.insert_element(
                    ir.Constant(vector, ir.Undefined), value, ir.Constant(_INT, 0)
                ),
                ir.Constant(vector, ir.Undefined),
                _constant([0] * LANES, 32),
            )
            for value in args[:2]
        ]
        sample = builder.sub(everywhere[0], _constant(_PLACES, 64))
        # Of unsigned numbers a negative one is larger than any.
        has_one = builder.icmp_unsigned("<", sample, everywhere[1])
        return builder.select(has_one, args[2], args[3])

    return _lanes(step, samples, new, old), generate


def _lane(lane: int) -> Any:
    @intrinsic
    def of(typing, vector):
        def generate(context, builder, signature, args):
            return builder.extract_element(args[0], ir.Constant(_INT, lane))

        return types.float64(vector), generate

    return of


_c_lane, _a_lane, _z_lane = _lane(2), _lane(3), _lane(7)


@overload(operator.mul)
def _overload_mul(one, other):
    if one is _lanes and other is _lanes:
        return lambda one, other: _times(one, other)
    return None


@overload(operator.add)
def _overload_add(one, other):
    if one is _lanes and other is _lanes:
        return lambda one, other: _plus(one, other)
    return None


@overload(operator.sub)
def _overload_sub(one, other):
    if one is _lanes and other is _lanes:
        return lambda one, other: _minus(one, other)
    return None


@numba.njit(fastmath={"contract"}, error_model="numpy")
def _hear(heard, c, a, z, fast_decay, slow_decay):
    """A sample more in ΣA², ΣC², ΣZ²; LAF max and min, LAS max, max |C|; LAF and LAS."""
    sum_a, sum_c, sum_z, fast_max, fast_min, slow_max, c_max, fast, slow = heard
    square = a * a
    fast = (1.0 - fast_decay) * square + fast_decay * fast
    slow = (1.0 - slow_decay) * square + slow_decay * slow
    return (
        sum_a + square,
        sum_c + c * c,
        sum_z + z * z,
        max(fast_max, fast),
        min(fast_min, fast),
        max(slow_max, slow),
        max(c_max, abs(c)),
        fast,
        slow,
    )


@compiled("void(f8[::1],f8,f8[:,::1],f8[:,::1],f8[::1],f8[::1],i8[::1],f8[::1],f8[::1],f8[:,::1])")
def weigh_lanes(  # noqa: PLR0913 - numba's own types stand in the signature
    units, scale, sections, memory, decay, running, edges, fast_out, c_out, sums
):
    """As ``compiled.weigh``: weight, average Fast and Slow, and sum up each slice."""
    b0, b1, b2 = _load(sections[0]), _load(sections[1]), _load(sections[2])
    a1, a2 = _load(sections[3]), _load(sections[4])
    p, q = _load(memory[0]), _load(memory[1])
    y = p - p
    fast, slow = running[0], running[1]
    fast_decay, slow_decay = decay[0], decay[1]
    samples = np.int64(len(units))
    for step in range(_LAG):  # the first lanes begin
        x = _entered(y, units[step] * scale if step < samples else 0.0)
        y = b0 * x + p
        p = _within(step, samples, (b1 * x + q) - a1 * y, p)
        q = _within(step, samples, b2 * x - a2 * y, q)
    for index in range(len(edges) - 1):
        heard = (0.0, 0.0, 0.0, 0.0, 1e300, 0.0, 0.0, fast, slow)
        whole = max(edges[index], min(edges[index + 1], samples - _LAG))
        ahead = units[edges[index] + _LAG : whole + _LAG]
        c_here, fast_here = c_out[edges[index] : whole], fast_out[edges[index] : whole]
        for n in range(len(ahead)):
            c = _c_lane(y)  # one place before A: of the step before
            x = _entered(y, ahead[n] * scale)
            y = b0 * x + p
            p = (b1 * x + q) - a1 * y
            q = b2 * x - a2 * y
            heard = _hear(heard, c, _a_lane(y), _z_lane(y), fast_decay, slow_decay)
            c_here[n], fast_here[n] = c, heard[7]
        for n in range(whole, edges[index + 1]):  # the first lanes have no more
            c = _c_lane(y)
            x = _entered(y, 0.0)
            y = b0 * x + p
            p = _within(n + _LAG, samples, (b1 * x + q) - a1 * y, p)
            q = _within(n + _LAG, samples, b2 * x - a2 * y, q)
            heard = _hear(heard, c, _a_lane(y), _z_lane(y), fast_decay, slow_decay)
            c_out[n], fast_out[n] = c, heard[7]
        sum_a, sum_c, sum_z, fast_max, fast_min, slow_max, c_max, fast, slow = heard
        sums[index, 0], sums[index, 1], sums[index, 2] = sum_a, sum_c, sum_z
        sums[index, 3], sums[index, 4], sums[index, 5] = fast_max, fast_min, fast
        sums[index, 6], sums[index, 7] = slow_max, c_max
    _store(memory[0], p)
    _store(memory[1], q)
    running[0], running[1] = fast, slow
