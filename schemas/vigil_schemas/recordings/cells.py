"""What a cell of a recording says: a number, a number beyond the sensor's scale, or nothing.

A word that is not known for "no reading" is dropped, and counted so that it can be told.
Numbers that loggers write where they had no reading (−9999 and its family) are told from
readings by what the signal showed before: a conductivity of 999 after one of 990 is one.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.tally import Side

Commas = Literal["decimal", "grouping", "unclear"]

_PADDING: Final = "\0 \t"
"""What a logger fills a field up with; inside a number it is a damaged one."""
SENTINELS: Final = frozenset({-9999.0, -99999.0, -999999.0})
"""Numbers that are never a reading."""
_MISSING: Final = frozenset(
    {
        "",
        "null",
        "nan",
        "na",
        "n/a",
        "#n/a",
        "none",
        "nil",
        "missing",
        "無",
        "無資料",
        "缺值",
        "缺測",
    }
)
_OVER: Final = frozenset(
    {"over", "overrange", "outofrangehigh", "ovr", "ovrng", "ovfl", "overflow", "oflow", "or", "ol"}
    | {"ovf", "ovrflw", "offscalehigh", "overscale", "overlimit", "saturated", ">range", ">max"}
    | {">scale", "hihi", "toohigh", "1#inf", "∞", "+∞"}
    | {
        "hi",
        "high",
        "aboverange",
        "超出量程",
        "超過量程",
        "超量程",
        "超出範圍",
        "超上限",
        "inf",
        "infinity",
    }
)
_UNDER: Final = frozenset(
    {"under", "underrange", "ur", "ul", "lo", "low", "belowrange", "nd", "n.d.", "bdl", "<dl"}
    | {"offscalelow", "underscale", "<range", "<min", "lolo", "toolow", "-1#inf", "-∞"}
    | {"<mdl", "<lod", "<loq", "未檢出", "低於偵測極限", "-inf", "-infinity"}
)  # fmt: skip
_CENSORED: Final = re.compile(
    r"(?:nd)?[(*†#]*\s*([<>≤≥]=?)\s*([-+]?[\d.,' ]*\d(?:[eE][-+]?\d+)?)\)?"
    r"\s*(?:[*†#]+|[a-zµμ%°][\w/%°²³]*)?\)?",
    re.I,
)
"""Also with a footnote's mark or a unit: ``*>4000``, ``>4000 NTU``."""
_AND_MORE: Final = re.compile(r"([-+]?[\d.,' ]*\d)\s*\+")
"""``4000+``."""
_GROUPED_BY_COMMAS: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_GROUPED_BY_POINTS: Final = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?(\d{1,3}([.' ]?\d{3})*|\d+),\d*")
_BLANKS: Final = re.compile(r"(?<=\d)[ '](?=\d{3}(?!\d))")
_SEVERAL: Final = re.compile(r"[+-]?\d{1,3}(,\d{3}){2,}(\.\d*)?|[+-]?\d{1,3}(,\d{3})+\.\d*")
_AMBIGUOUS: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


def _family() -> frozenset[float]:
    """Repeated digits: −999, −99.9, 9999, 999.9, −8888; and −6999, −7999 of Campbell loggers."""
    found = {-6999.0, -7999.0, -32768.0, -2147483648.0}
    for digit in "56789":
        for whole in range(3 if digit in "567" else 2, 8):
            for places in range(4):
                number = float(digit * whole + ("." + digit * places if places else ""))
                found.add(-number)
                if whole > 3 or (digit == "9" and whole == 3):
                    found.add(number)
    return frozenset(found)


FAMILY: Final = _family()
FILL: Final = 1e20
_FILL_END: Final = 1e39
"""Between them lies what fills up gaps as a single float: 1e30, 9.96921e36 of netCDF."""
MOST_WORDS: Final = 1000
OTHER_WORDS: Final = "(others)"
"""A column of remarks is counted, and not kept."""
_OVERLOAD: Final = 9.9e37
"""Of instruments that speak SCPI."""


@dataclass(slots=True)
class Cell:
    """What was read: ``side`` is set where the sensor was beyond its scale."""

    value: float | None = None
    side: Side | None = None


_NOTHING: Final = Cell()


@dataclass(slots=True)
class CellReader:
    """The cells of one signal. ``limits`` say what it may show at all."""

    name: str
    limits: Limits
    sentinels: frozenset[float] = SENTINELS
    kept: frozenset[float] = frozenset()
    """Numbers of the family that are readings, by the user's word."""
    typical: float | None = None
    """What the signal shows, for the first of its readings."""
    decide: Callable[[str], tuple[Commas, bool]] | None = None
    """What a comma is in this signal's numbers, and whether points group: asked at the first."""
    commas: Commas | None = None
    careful: bool = False
    """Whether ``1.234`` is a thousand and more: where others are ``1.234,5``."""
    last: float | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    """Cells that could not be read, by their text."""
    assumed: Counter[float] = field(default_factory=Counter)
    """Numbers that were taken for no reading, and could have been one."""

    def read(self, text: str, previous: float | None) -> Cell:
        """Any cell that is not plainly a number. ``previous``: the reading before, if any."""
        self.seen(previous)
        plain = unicodedata.normalize("NFKC", text.strip(_PADDING)).strip()
        value = self.number(plain)
        if value is not None:
            return self._judged(value)
        word = plain.lower().replace(" ", "").replace("_", "")
        if word in _MISSING or not word.strip("-—.?"):
            return _NOTHING
        side = _side(word)
        if side is not None:
            return Cell(None, side)
        censored = _CENSORED.fullmatch(plain)
        bound = None if censored is None else self.number(censored[2].strip())
        if censored is not None and bound is not None:
            return Cell(bound, "high" if censored[1][0] in ">≥" else "low")
        more = _AND_MORE.fullmatch(plain)
        if more is not None and (bound := self.number(more[1].strip())) is not None:
            return Cell(bound, "high")
        words, word = self.dropped, plain[:40]
        words[word if word in words or len(words) < MOST_WORDS else OTHER_WORDS] += 1
        return _NOTHING

    def seen(self, previous: float | None) -> None:
        """The reading before a cell that has none, if any."""
        if previous is not None:
            self.last = previous

    def number(self, plain: str) -> float | None:
        """A number however its thousands and decimals are set apart."""
        if "_" in plain:
            return None  # Python's float takes 1_000
        try:
            if not (self.careful and _GROUPED_BY_POINTS.fullmatch(plain)):
                value = float(plain)
                return None if math.isnan(value) or math.isinf(value) else value
        except ValueError:
            pass
        text = _BLANKS.sub("", plain)
        unsaid = self.commas is None and "," in text and not _SEVERAL.fullmatch(text)
        if unsaid and self.decide is not None:
            self.commas, self.careful = self.decide(self.name)
        if "," in text or self.careful:
            text = self._without_commas(text)
        try:
            value = float(text)
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def _without_commas(self, text: str) -> str:
        if _SEVERAL.fullmatch(text):  # 1,234.5 says itself what its comma is
            return text.replace(",", "")
        if self.commas == "decimal":
            if _GROUPED_BY_POINTS.fullmatch(text):
                text = text.replace(".", "")
            return text.replace(",", ".", 1)
        if self.commas == "grouping" and _GROUPED_BY_COMMAS.fullmatch(text):
            return text.replace(",", "")
        return text

    def _judged(self, value: float) -> Cell:
        if value in self.sentinels:
            return _NOTHING
        if FILL <= abs(value) < _FILL_END and value not in self.kept:
            if value == _OVERLOAD:
                return Cell(None, "high")
            self.assumed[value] += 1
            return _NOTHING
        if value in FAMILY and value not in self.kept and not self._plausible(value):
            self.assumed[value] += 1
            return _NOTHING
        return Cell(value)

    def _plausible(self, value: float) -> bool:
        """Whether the signal may well show this number at this moment."""
        fail, suspect = self.limits.fail, self.limits.suspect
        if fail is not None and not fail[0] <= value <= fail[1]:
            return False
        near = self.last if self.last is not None else self.typical
        if near is None:
            return False
        if near * value > 0 and 0.5 <= value / near <= 2.0:
            return True
        width = math.inf if suspect is None else suspect[1] - suspect[0]
        return width < 1e6 and abs(value - near) <= 0.1 * width


def decide_commas(texts: Iterable[str], limits: Limits, separator: str) -> tuple[Commas, bool]:
    """What a comma is in this column, and whether points group thousands, from all its cells.

    Where a comma separates the cells, one inside of a cell had to be quoted and may be
    either. Cells that can only be one thing decide; then the plain numbers beside them;
    then what the parameter can be. ``unclear`` where nothing does.
    """
    ambiguous: list[str] = []
    decimal = grouping = points = dotted = 0
    plain: list[float] = []
    for text in texts:
        cell = _BLANKS.sub("", unicodedata.normalize("NFKC", text).strip().lstrip("<>≤≥= "))
        if "," not in cell:
            try:
                plain.append(float(cell))
            except ValueError:
                continue
            points += "." in cell
        elif _SEVERAL.fullmatch(cell):
            grouping += 1
        elif _AMBIGUOUS.fullmatch(cell):
            ambiguous.append(cell)
        elif _DECIMAL_COMMA.fullmatch(cell):
            decimal += 1
            dotted += "." in cell
    if decimal or grouping:
        sure: Commas = "decimal" if decimal >= grouping else "grouping"
        return sure, sure == "decimal" and dotted > 0
    if separator != ",":
        return ("grouping" if points else "decimal"), False
    if points:
        return "grouping", False
    return _by_meaning(ambiguous, plain, limits), False


def _by_meaning(ambiguous: list[str], plain: list[float], limits: Limits) -> Commas:
    """``8,125`` in a column of pH is not 8125; ``1,010`` beside ``998`` is not 1.01."""
    small = [float(cell.replace(",", ".")) for cell in ambiguous]
    large = [float(cell.replace(",", "")) for cell in ambiguous]
    if not small:
        return "unclear"
    plain = [value for value in plain if value not in FAMILY and value != 0]
    if plain:
        usual = abs(median(plain))
        away = [abs(math.log(abs(median(some)) / usual)) for some in (small, large)]
        return "decimal" if away[0] < away[1] else "grouping"
    suspect = limits.suspect
    if suspect is None:
        return "unclear"
    fits = [all(suspect[0] <= value <= suspect[1] for value in some) for some in (small, large)]
    if fits[0] == fits[1]:
        return "unclear"
    return "decimal" if fits[0] else "grouping"


def _side(word: str) -> Side | None:
    bare = word.replace(".", "")
    if _OVER & {word, bare} or (len(word) > 1 and not (word.strip("+") and word.strip(">"))):
        return "high"
    if _UNDER & {word, bare} or (len(word) > 1 and not word.strip("<")):
        return "low"
    try:
        value = float(word)
    except ValueError:
        return None
    if "_" in word or not math.isinf(value):
        return None
    return "high" if value > 0 else "low"
