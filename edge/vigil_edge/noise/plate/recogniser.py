"""One line of characters as probabilities: PP-OCR's recogniser, offline.

The model lies in the wheel of ``rapidocr`` (Apache-2.0); only the file is used, so that nothing
can be downloaded at run time. Its 18,710 characters are merged into the 36 of plates, separators,
the blank of CTC, and whatever else there is.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from vigil_edge.noise.errors import PlateReaderMissing
from vigil_edge.noise.plate.candidates import Picture

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEIGHT: Final = 48
_LEAST_WIDTH: Final = 96
_MOST_WIDTH: Final = 320
_MODEL: Final = "models/PP-OCRv6_rec_small.onnx"
_BLANK, _SEPARATOR, _OTHER = 36, 37, 38
_UNLIKE: Final = frozenset("abdefghijmnqrty")
"""Small letters of another shape than the capital."""
_SEEN: Final = 0.5
_SEPARATORS: Final = "-·.•– :_~—"


@dataclass(frozen=True, slots=True)
class Characters:
    """What a line says: for each character the probabilities of ``ALPHABET``, shape (n, 36);
    they sum to less than 1 where it might be no such character."""

    chances: npt.NDArray[np.float64]
    strange: int
    """Characters that belong on no plate."""
    small: int = 0
    """Letters that are seen to be small ones, as in ordinary writing and on no plate."""


class Recogniser:
    """Raises ``PlateReaderMissing`` where it is not installed."""

    def __init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise PlateReaderMissing("onnxruntime is not installed") from error
        options = onnxruntime.SessionOptions()
        # A line of characters is soon read: a second thread would wait for the first in a loop, and
        # what would be kept for the next line is more than it saves.
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(_model_file()), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        words = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._merged = _merging(words, int(self._session.get_outputs()[0].shape[2]))
        self._small = [each for each, word in enumerate(words, start=1) if word in _UNLIKE]

    def read(self, lines: list[Picture]) -> list[Characters]:
        """Each picture shows one line of characters, left to right.

        One after the other: together they would be as wide as the widest, and take longer and three
        times the memory.
        """
        return [
            self._decoded(self._session.run(None, {self._input: _made(line)})[0][0])
            for line in lines
        ]

    def _decoded(self, steps: npt.NDArray[np.float32]) -> Characters:
        """Greedy CTC over merged classes: runs of one class are one character."""
        merged = np.zeros((len(steps), 39))
        for target in range(39):
            merged[:, target] = steps[:, self._merged[target]].sum(axis=1)
        chances: list[npt.NDArray[np.float64]] = []
        lower = steps[:, self._small].sum(axis=1) > _SEEN
        strange, small, before = 0, 0, _BLANK
        for row, is_small in zip(merged, lower, strict=True):
            label = int(row.argmax())
            if label < _BLANK:
                if label == before:
                    chances[-1] = np.maximum(chances[-1], row[:36])
                else:
                    chances.append(row[:36])
                    small += bool(is_small)
            elif label == _OTHER and before != _OTHER:
                strange += 1
            before = label
        found = np.stack(chances) if chances else np.empty((0, 36))
        return Characters(found / np.maximum(found.sum(axis=1, keepdims=True), 1.0), strange, small)


@lru_cache(maxsize=1)
def recogniser() -> Recogniser:
    """The one of this process."""
    return Recogniser()


def _model_file() -> Path:
    found = importlib.util.find_spec("rapidocr")
    if found is None or found.origin is None:
        raise PlateReaderMissing("the model's package, rapidocr, is not installed")
    path = Path(found.origin).parent / _MODEL
    if not path.is_file():
        raise PlateReaderMissing(f"rapidocr brings no {Path(_MODEL).name}")
    return path


def _made(line: Picture) -> npt.NDArray[np.float32]:
    """As the model wants it: (1, 3, 48, width), from -1 to 1."""
    size = cv2.resize(line, (_width(line), _HEIGHT), interpolation=cv2.INTER_AREA)
    return (size.transpose(2, 0, 1)[np.newaxis] / np.float32(127.5) - 1.0).astype(np.float32)


def _width(line: Picture) -> int:
    height, width = line.shape[:2]
    return int(np.clip(round(_HEIGHT * width / height), _LEAST_WIDTH, _MOST_WIDTH))


def _merging(words: list[str], classes: int) -> list[npt.NDArray[np.int64]]:
    """Classes of the model for each merged one. Class 0 is the blank; the last, a space."""
    target = np.full(classes, _OTHER)
    target[0] = _BLANK
    for index, word in enumerate([*words, " "][: classes - 1], start=1):
        # Ä, Ö and Ü of German plates count as A, O and U: registers and labels differ in them.
        # What is two letters as a capital (ß) is none of them.
        capital = word.upper()
        letter = unicodedata.normalize("NFD", capital)[:1] if len(capital) == 1 else word
        if len(letter) == 1 and letter in ALPHABET:
            target[index] = ALPHABET.index(letter)
        elif word and word in _SEPARATORS:
            target[index] = _SEPARATOR
    return [np.flatnonzero(target == each) for each in range(39)]
