"""A dossier as PDF: tagged for screen readers, fonts embedded, the JSON attached (PDF/A-3).

Set by Typst (decision 27). No system font is used, so that every machine makes the same pages;
what people wrote is data to the template, never markup.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from vigil_cloud.cases.wording import ACTIONS, STATES, VERDICTS
from vigil_cloud.city_time import CITY_ZONE
from vigil_schemas.dossier import CaseDossier

Language = Literal["zh-TW", "en"]
_TEMPLATE: Final = "dossier.typ"
_FONTS: Final = "pylopdf_fonts_zh_tw"
STANDARD: Final = "a-3a"


def render(dossier: CaseDossier, pictures: Mapping[str, bytes], language: Language) -> bytes:
    """``pictures``: JPEG by the photograph's id; each of the dossier's is there."""
    import typst  # large, and few processes ever make a dossier

    with tempfile.TemporaryDirectory(prefix="vigil-dossier-") as name:
        folder = Path(name)
        shutil.copyfile(Path(__file__).with_name(_TEMPLATE), folder / _TEMPLATE)
        (folder / "dossier.json").write_text(dossier.model_dump_json(), "utf-8")
        (folder / "page.json").write_text(printable(dossier.model_dump_json()), "utf-8")
        for photograph, content in pictures.items():
            (folder / f"{photograph}.jpg").write_bytes(content)
        made: bytes = typst.compile(
            str(folder / _TEMPLATE),
            root=str(folder),
            font_paths=[str(resources.files(_FONTS))],
            ignore_system_fonts=True,
            sys_inputs=_inputs(dossier, language),
            pdf_standards=[STANDARD],
        )
    return made


def printable(text: str) -> str:
    """What the font lacks (an emoji, a control character) is written as its number, 〔U+1F697〕.
    A dossier must neither fail on it nor leave it out unseen. The attached JSON holds it as it is.
    """
    drawn = _drawn()
    return "".join(
        one if one.isspace() or ord(one) in drawn else f"〔U+{ord(one):04X}〕" for one in text
    )


@functools.cache
def _drawn() -> frozenset[int]:
    """The characters that the font can draw."""
    from fontTools.ttLib import TTFont

    path = resources.files(_FONTS) / "NotoSansTC-Regular.otf"
    with TTFont(str(path), lazy=True) as font:
        return frozenset(font.getBestCmap())


def _inputs(dossier: CaseDossier, language: Language) -> dict[str, str]:
    """Words and local times: the template asks for each time by how the data writes it."""
    chinese = language == "zh-TW"
    inputs = {"language": language, "state": STATES[dossier.state][chinese]}
    made = dossier.made.astimezone(CITY_ZONE)
    inputs |= {"year": f"{made.year}", "month": f"{made.month}", "day": f"{made.day}"}
    inputs |= {f"action.{action}": words[chinese] for action, words in ACTIONS.items()}
    inputs |= {f"verdict.{verdict}": words[chinese] for verdict, words in VERDICTS.items()}
    for stamp in _stamps(dossier.model_dump(mode="json")):
        local = datetime.fromisoformat(stamp).astimezone(CITY_ZONE)
        inputs[stamp] = f"{local:%Y-%m-%d %H:%M:%S}"
    return inputs


def _stamps(value: Any) -> set[str]:
    """Every time in it."""
    if isinstance(value, dict):
        return set().union(*(_stamps(one) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(_stamps(one) for one in value))
    if isinstance(value, str) and len(value) <= 32 and value.endswith("Z") and "T" in value:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return set()
        return {value}
    return set()
