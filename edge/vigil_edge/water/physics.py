"""What a sensor's number means at another temperature, pressure or salinity. Pure.

Numbers in, numbers out; t in °C, conductivities in any one unit. Outside of what a formula
was made for it raises ``ValueError``: no number is better than a wrong one.
"""

from __future__ import annotations

import math
from typing import Final

_KELVIN: Final = 273.15
_GAS: Final = 8.314462618
"""J/(mol·K)."""
_FARADAY: Final = 96485.33212
"""C/mol."""
_F25: Final = (1.918, 1.643, 1.428, 1.256, 1.116, 1.0, 0.903, 0.822)
"""ISO 7888, at 0, 5 … 35 °C: natural waters."""
_STEP: Final = 5.0
MMHG_PER_ATM: Final = 760.0
SEA_WATER: Final = 4.2914
"""Conductivity of sea water of salinity 35 at 15 °C, S/m (PSS-78)."""


def f25(t: float) -> float:
    """Factor from a conductivity at ``t`` (0 to 35) to that at 25 °C, ISO 7888.

    Between the standard's own values a cubic; exact at each.
    """
    _within("temperature", t, 0.0, 35.0)
    at = min(int(t / _STEP), len(_F25) - 2)
    s = t / _STEP - at
    return (
        (1 + 2 * s) * (1 - s) ** 2 * _F25[at]
        + s * (1 - s) ** 2 * _slope(at)
        + s * s * (3 - 2 * s) * _F25[at + 1]
        + s * s * (s - 1) * _slope(at + 1)
    )


def specific_conductance(conductivity: float, t: float, per_degree: float | None = None) -> float:
    """Conductivity at 25 °C: by ``f25``, or linearly with ``per_degree`` (such as 0.0191)."""
    if per_degree is None:
        return conductivity * f25(t)
    factor = 1 + per_degree * (t - 25)
    if factor <= 0:
        raise ValueError(f"at {t:g} °C there is nothing left with {per_degree:g} per degree")
    return conductivity / factor


def oxygen_saturation(t: float, pressure_atm: float = 1.0, salinity: float = 0.0) -> float:
    """Oxygen in water in balance with moist air, mg/L: Benson and Krause (1984), 0 to 40 °C.

    ``salinity`` on the practical scale, ``pressure_atm`` of the air at the water (not reduced
    to sea level).
    """
    _within("temperature", t, 0.0, 40.0)
    _within("pressure", pressure_atm, 0.5, 1.2)
    _within("salinity", salinity, 0.0, 42.0)
    k = t + _KELVIN
    at_1_atm = math.exp(
        -139.34411
        + 1.575701e5 / k
        - 6.642308e7 / k**2
        + 1.2438e10 / k**3
        - 8.621949e11 / k**4
        - salinity * (0.017674 - 10.754 / k + 2140.7 / k**2)
    )
    theta = 0.000975 - 1.426e-5 * t + 6.436e-8 * t**2
    vapour = math.exp(11.8571 - 3840.70 / k - 216961 / k**2)
    moist = (pressure_atm - vapour) * (1 - theta * pressure_atm)
    return at_1_atm * moist / ((1 - vapour) * (1 - theta))


def electrode_slope(t: float) -> float:
    """What an ideal pH electrode gives for each pH, mV."""
    return 1000 * math.log(10) * _GAS * (t + _KELVIN) / _FARADAY


def ph_at(millivolts: float, t: float, *, zero: float = 7.0, efficiency: float = 1.0) -> float:
    """PH of an electrode that gives 0 mV at pH ``zero``; ``efficiency`` of its slope, 0 to 1."""
    _within("efficiency", efficiency, 0.5, 1.2)
    return zero - millivolts / (efficiency * electrode_slope(t))


def salinity(conductivity: float, t: float) -> float:
    """Practical salinity of a conductivity in S/m at ``t`` and no depth: PSS-78.

    Below 2 with the extension of Hill et al. (1986), so that a canal's water has one too.
    """
    _within("temperature", t, -2.0, 35.0)
    if conductivity < 0:
        raise ValueError(f"conductivity {conductivity:g} is below 0")
    rt = 0.6766097 + t * (2.00564e-2 + t * (1.104259e-4 + t * (-6.9698e-7 + t * 1.0031e-9)))
    ratio = conductivity / SEA_WATER / rt
    root = math.sqrt(ratio)
    a = (0.0080, -0.1692, 25.3851, 14.0941, -7.0261, 2.7081)
    b = (0.0005, -0.0056, -0.0066, -0.0375, 0.0636, -0.0144)
    warm = (t - 15) / (1 + 0.0162 * (t - 15))
    found = sum(c * root**power for power, c in enumerate(a))
    found += warm * sum(c * root**power for power, c in enumerate(b))
    if found < 2:
        x, y = 400 * ratio, 100 * ratio
        found -= a[0] / (1 + 1.5 * x + x * x)
        found -= b[0] * warm / (1 + math.sqrt(y) + y + y**1.5)
    return max(found, 0.0)


def _slope(at: int) -> float:
    """Of the table at one of its values, for a step of it."""
    last = len(_F25) - 1
    if at == 0:
        return (-3 * _F25[0] + 4 * _F25[1] - _F25[2]) / 2
    if at == last:
        return (3 * _F25[last] - 4 * _F25[last - 1] + _F25[last - 2]) / 2
    return (_F25[at + 1] - _F25[at - 1]) / 2


def _within(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{what} {value:g} is outside {low:g} to {high:g}")
