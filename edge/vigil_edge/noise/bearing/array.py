"""A microphone array: where its microphones are, and which directions it can tell apart."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vigil_edge.noise.errors import ArrayUnusable

Array = npt.NDArray[np.float64]
MOST_BYTES: Final = 1 << 20
"""Of a description; a larger file is something else."""
FLAT: Final = 0.03
"""Extent, relative to the largest, below which an array has none in a direction."""
LEAST_M: Final = 0.005
"""Microphones nearer to each other than this cannot be told apart by their sound."""
MOST_M: Final = 5.0
STEEPEST: Final = math.radians(60.0)
"""Of a linear array's axis against the ground; steeper ones tell no azimuth."""
Coordinate = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


class ArrayDescription(BaseModel):
    """The content of ``ARRAY.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    positions: Annotated[
        tuple[tuple[Coordinate, Coordinate, Coordinate], ...], Field(min_length=2, max_length=64)
    ]
    """Of the microphones, in the order of the channels, metres; z up."""
    speed_of_sound: Annotated[float, Field(ge=250, le=450)] = 343.0
    """m/s."""
    facing: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)] | None = None
    """Azimuth, degrees counter-clockwise from +x, of the side on which the sources are: for
    arrays whose microphones stand in a line or on a wall, which cannot tell the two sides."""


class ArraySettings(ArrayDescription):
    """``[noise.array]``: the array of a live noise camera."""

    channels: tuple[Annotated[int, Field(ge=0, le=63)], ...] | None = None
    """Of the microphones, in the order of ``positions``; all channels in their order where it is
    not given."""
    north: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)] | None = None
    """Azimuth of north, degrees counter-clockwise from +x."""

    @model_validator(mode="after")
    def _tells_bearings(self) -> Self:
        if self.channels is not None and len(set(self.channels)) != len(self.positions):
            raise ValueError("channels must name one channel for each of positions")
        try:
            MicrophoneArray.of(self)
        except ArrayUnusable as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def of_channels(self) -> tuple[int, ...]:
        """Of each microphone."""
        return tuple(range(len(self.positions))) if self.channels is None else self.channels

    def compass(self, azimuth: float) -> float | None:
        """Clockwise from north; ``None`` where nobody said where north is."""
        return None if self.north is None else round((self.north - azimuth) % 360.0, 1) % 360.0


@dataclass(frozen=True, slots=True)
class MicrophoneArray:
    """Positions about their middle, and the space that they span.

    A wave from the unit vector u reaches the microphone at p by (p · u)/c earlier than the
    middle. Only the part of u in the span of the positions can be seen: ``basis``, orthonormal,
    shape (rank, 3).
    """

    positions: Array
    """Metres about their mean, shape (microphones, 3)."""
    speed_of_sound: float
    basis: Array
    side: Array
    """Unit vector, shape (3,): of two directions that sound alike, the one on this side counts."""

    @classmethod
    def of(
        cls, description: ArrayDescription, heard: npt.NDArray[np.bool_] | None = None
    ) -> MicrophoneArray:
        """Of the microphones that are ``heard`` (all). Raises ``ArrayUnusable`` for positions that
        tell no azimuth."""
        given = np.array(description.positions, dtype=float)
        given = given if heard is None else given[heard]
        apart = np.linalg.norm(given[:, np.newaxis] - given, axis=2)
        pairs = apart[np.triu_indices(len(given), 1)]
        if pairs.min() < LEAST_M:
            raise ArrayUnusable(f"two microphones are {1000 * pairs.min():.1f} mm apart")
        if pairs.max() > MOST_M:
            raise ArrayUnusable(f"two microphones are {pairs.max():.1f} m apart; positions are m")
        centred = given - given.mean(axis=0)
        _, extent, axes = np.linalg.svd(centred, full_matrices=True)
        rank = int((extent > FLAT * extent[0]).sum())
        basis = np.asarray(axes[:rank])
        _refuse_upright(basis)
        return cls(
            centred,
            description.speed_of_sound,
            basis,
            _side(axes, rank, given[-1] - given[0], description.facing),
        )

    @property
    def rank(self) -> int:
        """1: in a line, 2: in a plane, 3: in space."""
        return len(self.basis)

    @property
    def ambiguous(self) -> Literal["line", "wall", None]:
        """Whether two azimuths sound alike: mirrored in a line, or in an upright plane."""
        if self.rank == 1:
            return "line"
        if self.rank == 2 and abs(float(np.cross(*self.basis)[2])) < math.cos(math.radians(5.0)):
            return "wall"
        return None

    @property
    def radius_m(self) -> float:
        """Of the microphones about their middle, root mean square in the widest direction."""
        return float(np.linalg.svd(self.positions, compute_uv=False)[0]) / math.sqrt(
            len(self.positions)
        )

    def direction(self, slowness: Array) -> tuple[Array, Array]:
        """Unit vectors (n, 3) that are seen as ``slowness`` (n, rank), on the array's own side
        and on the other; both are the same where it tells them apart."""
        if self.rank == 3:
            seen = slowness @ self.basis
            unit = seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-9)
            return unit, unit
        length = np.linalg.norm(slowness, axis=1, keepdims=True)
        within = slowness / np.maximum(length, 1.0)
        rest = np.sqrt(np.maximum(0.0, 1.0 - np.minimum(length, 1.0) ** 2))
        seen = within @ self.basis
        return seen + rest * self.side, seen - rest * self.side


def load_description(path: Path) -> ArrayDescription:
    """Raises ``ArrayUnusable``, naming what is wrong in the file."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ArrayUnusable(f"{path.name}: this is no description of an array (too large)")
        return ArrayDescription.model_validate(tomllib.loads(path.read_text("utf-8-sig")))
    except OSError as error:
        raise ArrayUnusable(f"{path.name}: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArrayUnusable(f"{path.name}: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 alike
        raise ArrayUnusable(f"{path.name}: {error}") from error


def _refuse_upright(basis: Array) -> None:
    if len(basis) == 1 and abs(float(basis[0, 2])) > math.sin(STEEPEST):
        raise ArrayUnusable("the microphones stand above each other: no azimuth can be told")


def _side(axes: Array, rank: int, way: Array, azimuth: float | None) -> Array:
    """Across the line or plane. In a line the source is taken to be as high as the array."""
    if rank == 3:
        return np.zeros(3)
    if rank == 2:
        across = np.asarray(axes[2])
        if abs(across[2]) > math.cos(math.radians(5.0)):  # a table: what is above counts as below
            return across
    else:
        along = axes[0]
        across = np.array([-along[1], along[0], 0.0])
        across /= np.linalg.norm(across)
    if azimuth is None:
        # Something must be chosen: left of the way from the first microphone to the last.
        wanted = np.array([-way[1], way[0], 0.0])
    else:
        facing = math.radians(azimuth)
        wanted = np.array([math.cos(facing), math.sin(facing), 0.0])
    return across if float(across @ wanted) >= 0 else -across
