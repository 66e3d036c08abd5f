"""What is said of a camera whose pictures' moments nobody measured, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from vigil_edge.examination import Text
from vigil_edge.noise.pictures.moments import FARTHEST_S, LATEST_S
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_schemas.evidence import CameraRole

_WORDS: Final[dict[CameraRole, Text]] = {
    "overview": Text("overview camera", "全景攝影機"),
    "plate": Text("plate camera", "車牌攝影機"),
}
_ONLY: Final = Text("camera", "攝影機")


def name_of(role: CameraRole, count: int) -> Text:
    """What a camera is called, among so many."""
    return _WORDS[role] if count > 1 else _ONLY


def how_to_align(role: CameraRole, count: int) -> Text:
    """The command that measures it."""
    which = " --camera plate" if role == "plate" and count > 1 else ""
    command = f"vigil-edge noise align --config gateway.toml{which}"
    return Text(
        f"stop the agent, run `{command}` and take over the lines that it prints",
        f"停止代理程式，執行 `{command}`，並採用其輸出之設定",
    )


def known(camera: CameraSettings) -> Text:
    """How well its pictures' moments can be known by its settings."""
    if camera.delay_s is not None:
        return Text(
            f"its delay was measured to {camera.delay_within_s:g} s",
            f"延遲已量測，誤差 {camera.delay_within_s:g} 秒",
        )
    return Text(
        f"nobody measured its delay: moments that it tells itself may be {LATEST_S:g} s off, and"
        f" its pictures' arrival {FARTHEST_S:g} s; where another vehicle fits as well within that,"
        " none is named",
        f"尚未量測延遲：攝影機自行標示之時刻誤差可達 {LATEST_S:g} 秒，依到達時間者可達"
        f" {FARTHEST_S:g} 秒；其間若有他車相符，即不認定車輛",
    )


def unmeasured(cameras: Mapping[CameraRole, CameraSettings]) -> Iterator[tuple[CameraRole, Text]]:
    """Each of which it is not known, with what is said of it."""
    for role, camera in cameras.items():
        if camera.delay_s is None:
            yield role, known(camera)
