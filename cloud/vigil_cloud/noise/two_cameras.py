"""Of a place with two cameras: in whose pictures the plate was read, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vigil_cloud.cases.port import Fact, Words
from vigil_cloud.noise.findings import Findings
from vigil_schemas.noise import FellBack

_IN_PICTURES_OF: Final = Words("Plate looked for in the pictures of", "判讀車牌之影像")
_NEAR: Final = Words("the plate camera", "車牌攝影機")
_WIDE: Final = Words("the overview camera", "全景攝影機")
_BECAUSE: Final[dict[FellBack, Words]] = {
    "no-pictures": Words("the plate camera delivered none", "車牌攝影機無影像"),
    "no-track": Words(
        "nothing could be followed in those of the plate camera", "車牌攝影機影像中無可追蹤之車輛"
    ),
    "no-match": Words(
        "no vehicle in those of the plate camera is known to be the loud one",
        "無法確認車牌攝影機影像中何車為發聲車輛",
    ),
    "several": Words(
        "two vehicles in those of the plate camera may be the loud one",
        "車牌攝影機影像中有兩輛車可能為發聲車輛",
    ),
    "no-plate": Words(
        "no plate was found in those of the plate camera", "車牌攝影機影像中未找到車牌"
    ),
    "unsure": Words(
        "those of the plate camera were not read surely enough", "車牌攝影機影像之判讀不夠確定"
    ),
    "disagreement": Words(
        "those of the plate camera were read differently", "車牌攝影機各影像之判讀不一致"
    ),
}


def facts(told: Findings) -> Iterator[Fact]:
    """One where there are two cameras, none where there is one."""
    read = told.plate_reading
    if read is None or read.camera is None:
        return
    where = _NEAR if read.camera == "plate" else _WIDE
    if read.fell_back is None:
        yield Fact(_IN_PICTURES_OF, where.english, where.chinese)
        return
    why = _BECAUSE[read.fell_back]
    if read.fell_back == "several" and read.apart_s:
        why = Words(
            f"{why.english} (the moments of both cameras' pictures are known to"
            f" {read.apart_s:.2f} s of each other)",
            f"{why.chinese}（兩攝影機影像時刻之相對誤差可達 {read.apart_s:.2f} 秒）",
        )
    yield Fact(
        _IN_PICTURES_OF, f"{where.english}: {why.english}", f"{where.chinese}：{why.chinese}"
    )
