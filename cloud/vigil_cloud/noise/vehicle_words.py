"""Which vehicle a gateway found to have been loud, or why it could not tell, in words. Pure."""

from __future__ import annotations

from typing import Final

from vigil_cloud.cases.port import Words
from vigil_cloud.noise.findings import Findings
from vigil_schemas.noise import VehicleFinding

_UNATTRIBUTED: Final[dict[str | None, Words]] = {
    "several": Words("Two vehicles stood within 10° of each other.", "兩車方位相差不到 10 度。"),
    "no-match": Words(
        "No vehicle in the pictures stood where the sound came from.",
        "影像中無車輛位於聲音來向。",
    ),
    "no-bearing": Words("The sound told no direction.", "聲音無法定出方位。"),
    "no-track": Words("No vehicle could be followed in the pictures.", "影像中無可追蹤之車輛。"),
    "several-heard": Words(
        "A second source was heard that no picture shows.", "另有影像未顯示之聲源。"
    ),
    "no-camera": Words("There are no pictures.", "無影像。"),
}
_DOUBTED: Final[dict[str | None, Words]] = {
    "not-in-picture": Words(
        "The one vehicle that was followed was not in the picture when it was loudest.",
        "所追蹤之車輛於最大噪音時不在畫面內。",
    ),
    "cut-off": Words(
        "Another vehicle was cut off by the picture's edge.", "另有車輛為畫面邊緣所截。"
    ),
    "several-heard": Words(
        "The level rose twice: there may have been another vehicle.",
        "噪音出現兩次起伏，可能另有車輛。",
    ),
}
"""Of a camera without an array, that followed one vehicle alone."""
_NOBODY_LOOKED: Final = Words(
    "Its gateway compared no bearing with the pictures.", "閘道器未比對聲音方位與影像。"
)


def which(told: Findings) -> Words | None:
    """``None`` where none was found."""
    said = told.vehicle
    found = None if said is None else said.vehicle
    if said is None or found is None:
        return None
    known, known_zh = _moments(said)
    return Words(
        f"Of {said.tracks} that moved in the pictures, the one {found.apart_deg:.0f}° from"
        f" where the sound came from.{known}",
        f"影像中 {said.tracks} 輛移動車輛之一，與聲音方位相差 {found.apart_deg:.0f} 度。{known_zh}",
    )


def why_not(told: Findings) -> Words:
    """Of one that found none."""
    said, plate = told.vehicle, told.plate_reading
    if said is not None and said.rival_off_s is not None:
        return _by_another_moment(said.rival_off_s)
    doubted = None if plate is None else _DOUBTED.get(plate.abstained)
    return doubted or _UNATTRIBUTED.get(None if said is None else said.abstained, _NOBODY_LOOKED)


def _moments(said: VehicleFinding) -> tuple[str, str]:
    """How well the pictures' are known, where the gateway told it."""
    if said.pictures_within_s is None:
        return "", ""
    return (
        f" No other fits within the {said.pictures_within_s:.2f} s to which the pictures' moments"
        " are known.",
        f"影像時刻誤差在 {said.pictures_within_s:.2f} 秒內，其間無其他車輛相符。",
    )


def _by_another_moment(off_s: float) -> Words:
    """A camera whose clock nobody measured: one vehicle fits by the moments that it says, and
    another by moments that are possible."""
    way, way_zh = ("earlier", "早") if off_s > 0 else ("later", "晚")
    return Words(
        f"Had the pictures been taken {abs(off_s):.2f} s {way} than the camera says, which nobody"
        " can exclude, another vehicle may have been the loud one.",
        f"影像時刻若較攝影機所示{way_zh} {abs(off_s):.2f} 秒（無法排除），發聲者可能為另一輛車。",
    )
