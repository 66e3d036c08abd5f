"""Cars as a handful of shaded surfaces in road coordinates, drawn in true perspective."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.plate import CAR_MM, plate
from vigil_sim.noise.view import View

Array = NDArray[np.float64]
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Body:
    """Side profile from the rear bumper over the roof to the front bumper, metres."""

    profile: tuple[tuple[float, float], ...]
    materials: tuple[str, ...]
    """Of the surface between each point and the next."""
    half_width: float
    roof_half_width: float
    shoulder_z: float
    wheels: tuple[float, float]
    lamp_z: tuple[float, float]
    """Of tail lamps and head lamps."""
    plate_z: tuple[float, float]
    """Of the plate behind and in front."""

    @property
    def length(self) -> float:
        """Metres."""
        return max(x for x, _ in self.profile)

    def half_width_at(self, z: float) -> float:
        """The cabin leans inwards above the shoulder."""
        top = max(z for _, z in self.profile)
        lean = np.clip((z - self.shoulder_z) / (top - self.shoulder_z), 0.0, 1.0)
        return float(self.half_width + lean * (self.roof_half_width - self.half_width))


SEDAN = Body(
    profile=(
        *(
            (0.06, 0.26),
            (0.0, 0.5),
            (0.02, 0.72),
            (0.1, 0.98),
            (0.5, 1.03),
            (1.1, 1.4),
            (1.6, 1.46),
        ),
        *((2.3, 1.45), (3.1, 1.03), (4.05, 0.9), (4.4, 0.74), (4.48, 0.5), (4.42, 0.24)),
    ),
    materials=(
        *("dark", "paint", "paint", "paint", "glass", "paint", "paint"),
        *("glass", "paint", "paint", "paint", "dark"),
    ),
    half_width=0.89,
    roof_half_width=0.60,
    shoulder_z=0.97,
    wheels=(0.85, 3.55),
    lamp_z=(0.83, 0.70),
    plate_z=(0.62, 0.42),
)
VAN = Body(
    profile=(
        *((0.04, 0.28), (0.0, 0.55), (0.02, 0.95), (0.1, 1.62), (0.25, 1.86), (3.2, 1.9)),
        *((3.6, 1.78), (4.35, 1.12), (4.75, 0.92), (4.82, 0.55), (4.78, 0.26)),
    ),
    materials=(
        *("dark", "paint", "glass", "paint", "paint", "paint"),
        *("glass", "paint", "paint", "dark"),
    ),
    half_width=0.92,
    roof_half_width=0.78,
    shoulder_z=1.05,
    wheels=(0.95, 3.85),
    lamp_z=(0.95, 0.80),
    plate_z=(0.72, 0.45),
)
_GLASS: Colour = (38.0, 32.0, 28.0)
_LIGHT_FROM = np.array([-0.25, -0.35, 0.9])


@dataclass(frozen=True, slots=True)
class Placed:
    """A car on the road: its rear at ``rear_x``, heading +1 (away) or −1 (towards)."""

    body: Body
    rear_x: float
    y: float
    heading: int
    colour: Colour
    plate: str
    light: float = 1.0
    """How bright the street is here, 0..1."""
    taxi: bool = False

    def point(self, along: float, aside: float, z: float) -> Array:
        """Road coordinates of a point of the body; ``aside`` is towards +y."""
        return np.array([self.rear_x + self.heading * along, self.y + aside, z])


def draw_car(image: NDArray[np.uint8], view: View, car: Placed) -> None:
    """Paint one car into the picture."""
    body = car.body
    surfaces = _shell(car, view.position)
    surfaces.sort(key=lambda surface: -float(view.depth(surface[0]).mean()))
    for points, colour in surfaces:
        _fill(image, view, points, colour)
    facing = -1 if car.y > view.position[1] else 1
    _side(image, view, car, facing)
    rear_seen = car.heading > 0
    _lamps(image, view, car, rear_seen)
    _number(image, view, car, rear_seen)
    if car.taxi:
        top = max(z for _, z in body.profile)
        sign = [
            car.point(1.9, a, z)
            for a, z in ((-0.2, top), (0.2, top), (0.17, top + 0.13), (-0.17, top + 0.13))
        ]
        _fill(image, view, np.array(sign), (120.0, 235.0, 255.0))


def _shell(car: Placed, eye: tuple[float, float, float]) -> list[tuple[Array, Colour]]:
    """The strips across the car that face the camera, each with its shaded colour."""
    body = car.body
    result = []
    for (x0, z0), (x1, z1), material in zip(
        body.profile, body.profile[1:], body.materials, strict=False
    ):
        normal = np.array([-(z1 - z0) * car.heading, 0.0, x1 - x0])
        normal /= np.linalg.norm(normal)
        w0, w1 = body.half_width_at(z0), body.half_width_at(z1)
        corners = ((x0, -w0, z0), (x0, w0, z0), (x1, w1, z1), (x1, -w1, z1))
        points = np.array([car.point(*corner) for corner in corners])
        if normal @ (np.asarray(eye) - points.mean(axis=0)) <= 0:
            continue
        base = {"paint": car.colour, "glass": _GLASS, "dark": _scaled(car.colour, 0.42)}[material]
        bright = car.light * (0.5 + 0.6 * max(float(normal @ _LIGHT_FROM), 0.0))
        result.append((points, _scaled(base, bright)))
        if material == "glass":
            inner = points * 0.92 + points.mean(axis=0) * 0.08
            result.append((inner, _scaled((70.0, 60.0, 52.0), bright)))
    return result


def _side(image: NDArray[np.uint8], view: View, car: Placed, facing: int) -> None:
    body = car.body
    outline = [car.point(x, facing * body.half_width_at(z), z) for x, z in body.profile]
    _fill(image, view, np.array(outline), _scaled(car.colour, 0.62 * car.light))
    top = max(z for _, z in body.profile)
    shoulder = body.shoulder_z + 0.06
    glass = [(x, z) for x, z in body.profile if z > shoulder]
    if len(glass) >= 3:
        middle = sum(x for x, _ in glass) / len(glass)
        ends = (glass[0][0] - 0.35, glass[-1][0] + 0.45)
        window = [(ends[0] + 0.25, shoulder)]
        window += [(middle + 0.9 * (x - middle), min(z, top - 0.09)) for x, z in glass]
        window += [(ends[1] - 0.25, shoulder)]
        points = [car.point(x, facing * (body.half_width_at(z) + 0.005), z) for x, z in window]
        _fill(image, view, np.array(points), _scaled(_GLASS, 0.9 * car.light))
        for pillar in (middle - 0.05, middle + 0.02):
            post = [
                car.point(x, facing * (body.half_width_at(z) + 0.008), z)
                for x, z in (
                    *((pillar, shoulder), (pillar + 0.07, shoulder)),
                    *((pillar + 0.07, top - 0.08), (pillar, top - 0.08)),
                )
            ]
            _fill(image, view, np.array(post), _scaled(car.colour, 0.5 * car.light))
    line = [
        car.point(x, facing * (body.half_width + 0.004), z)
        for x, z in ((0.3, 0.8), (4.1, 0.74), (4.1, 0.72), (0.3, 0.78))
    ]
    _fill(image, view, np.array(line), _scaled(car.colour, 0.42 * car.light))
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    for axle in body.wheels:
        for radius, grey in ((0.37, 12.0), (0.32, 24.0), (0.2, 92.0), (0.08, 40.0)):
            rim = [
                car.point(
                    axle + radius * np.cos(a),
                    facing * (body.half_width + 0.01),
                    0.32 + radius * np.sin(a),
                )
                for a in angles
            ]
            _fill(image, view, np.array(rim), _scaled((grey, grey, grey), car.light))


def _lamps(image: NDArray[np.uint8], view: View, car: Placed, rear: bool) -> None:
    z = car.body.lamp_z[0 if rear else 1]
    along = 0.01 if rear else car.body.length - 0.05
    colour = (46.0, 40.0, 235.0) if rear else (255.0, 255.0, 255.0)
    for side in (-1, 1):
        outer, inner = side * (car.body.half_width - 0.04), side * (car.body.half_width - 0.38)
        quad = [
            car.point(along, a, h)
            for a, h in ((inner, z + 0.05), (outer, z + 0.09), (outer, z - 0.08), (inner, z - 0.06))
        ]
        _fill(image, view, np.array(quad), colour)


def _number(image: NDArray[np.uint8], view: View, car: Placed, rear: bool) -> None:
    """The licence plate, warped into its place; plates reflect, so it is not dimmed."""
    z = car.body.plate_z[0 if rear else 1]
    along = -0.015 if rear else car.body.length + 0.015
    half = CAR_MM[0] / 2000
    high = CAR_MM[1] / 2000
    corners = [
        car.point(along, a, h)
        for a, h in ((half, z + high), (-half, z + high), (-half, z - high), (half, z - high))
    ]
    points = np.array(corners)
    if view.depth(points).min() < 1.0:
        return
    paste(image, plate(car.plate, scooter=False), view.project(points))


def paste(image: NDArray[np.uint8], texture: NDArray[np.uint8], quad: Array) -> None:
    """Warp a picture (with or without cover in a fourth channel) into a quadrilateral."""
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + 2, [image.shape[1], image.shape[0]])
    size = high - low
    if size.min() < 1:
        return
    shrink = max(1.0, texture.shape[1] / max(float(np.linalg.norm(quad[1] - quad[0])), 1.0))
    small = cv2.resize(texture, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    if small.shape[2] == 3:
        small = np.dstack([small, np.full(small.shape[:2], 255, np.uint8)])
    rows, columns = small.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(source, (quad - low).astype(np.float32))
    sheet = small.astype(np.float32)
    sheet[..., :3] *= sheet[..., 3:] / np.float32(255.0)
    warped = cv2.warpPerspective(sheet, matrix, (int(size[0]), int(size[1])))
    region = image[low[1] : high[1], low[0] : high[0]]
    region[:] = np.clip(region * (1 - warped[..., 3:] / 255.0) + warped[..., :3], 0, 255)


def _scaled(colour: Colour, by: float) -> Colour:
    return colour[0] * by, colour[1] * by, colour[2] * by


def _fill(image: NDArray[np.uint8], view: View, points: Array, colour: Colour) -> None:
    pixels = view.polygon(points)
    if pixels is not None:
        outline = np.round(np.clip(pixels, -8000, 8000) * 16).astype(np.int32)
        cv2.fillPoly(image, [outline], tuple(min(c, 255.0) for c in colour), cv2.LINE_AA, 4)
