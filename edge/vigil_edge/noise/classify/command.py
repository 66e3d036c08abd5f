"""Classify one recording."""

from __future__ import annotations

from pathlib import Path

from vigil_edge.noise.classify.features import features
from vigil_edge.noise.classify.model import Verdict, shipped
from vigil_edge.noise.classify.reading import loudest_stretch
from vigil_edge.noise.errors import AudioNotClassifiable


def classify(path: Path) -> Verdict:
    """What its loudest event is. Raises the errors of ``vigil_edge.noise.errors``."""
    stretch = loudest_stretch(path)
    try:
        vector = features(stretch)
    except ValueError as error:
        raise AudioNotClassifiable(path, f"it cannot be classified: {error}") from error
    return shipped().judge(vector)
