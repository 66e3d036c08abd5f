"""Classify one recording."""

from __future__ import annotations

from pathlib import Path

from vigil_edge.noise.classify.hearing import heard
from vigil_edge.noise.classify.model import Verdict
from vigil_edge.noise.classify.reading import loudest_stretch
from vigil_edge.noise.errors import AudioNotClassifiable


def classify(path: Path) -> Verdict:
    """What its loudest event is, and whether the live trigger would veto it. Raises the errors of
    ``vigil_edge.noise.errors``."""
    stretch = loudest_stretch(path)
    try:
        return heard(stretch)
    except ValueError as error:
        raise AudioNotClassifiable(path, f"it cannot be classified: {error}") from error
