"""The plate of the vehicle that was loud: in which camera's pictures it is read, and what is told
of that.

Of two cameras the plate camera's pictures are read, once the vehicle was found again in them; the
overview's are where that gives no plate, and the reading says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vigil_edge.noise.pairing import paired
from vigil_edge.noise.pictures.moments import Known
from vigil_edge.noise.pictures.reading import Frames
from vigil_edge.noise.pictures.rows import rows_of
from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_edge.noise.pictures.tracks import Followed, Track, follow
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.plate.votes import Voted, read_several
from vigil_edge.noise.rivals import Doubt
from vigil_schemas.evidence import CameraRole
from vigil_schemas.noise import FellBack, PlateCandidate, PlateReading


@dataclass(frozen=True, slots=True)
class Watched:
    """One camera's pictures of a passage, and how it looks, where that is known."""

    frames: Frames
    view: ViewSettings | None
    known: Known
    """How well the pictures' moments are known."""


@dataclass(frozen=True, slots=True)
class Loud:
    """The vehicle whose plate may be read, among those that were followed on the overview."""

    followed: Followed
    track: Track


@dataclass(frozen=True, slots=True)
class PlateFound:
    """What was read, and in whose pictures."""

    voted: Voted | None
    """``None`` where the plate could be another vehicle's: nobody looked."""
    frames: Frames
    """Those that ``voted`` counts."""
    camera: CameraRole | None = None
    """``None`` where there is one camera."""
    fell_back: FellBack | None = None
    apart_s: float | None = None
    """So far the moments of the two cameras' pictures may lie apart; ``None`` where there is one
    camera."""

    def reading(self, doubt: Doubt | None) -> PlateReading:
        """As the event tells it. ``doubt``: why the vehicle need not be the one."""
        voted = self.voted
        if voted is None:
            abstained = (doubt or "not-attributed") if self.frames else "no-camera"
            return PlateReading(abstained=abstained, apart_s=self.apart_s)
        return PlateReading(
            confidence=voted.confidence,
            pictures=voted.pictures,
            votes=voted.votes,
            characters=[round(each, 3) for each in voted.characters],
            abstained=voted.abstained,
            camera=self.camera,
            fell_back=self.fell_back,
            apart_s=self.apart_s,
        )

    def candidates(self) -> list[PlateCandidate]:
        """The text, where it was read surely enough."""
        if self.voted is None or self.voted.text is None:
            return []
        return [PlateCandidate(text=self.voted.text, confidence=self.voted.confidence)]

    def told(self) -> dict[str, Any] | None:
        """``votes.json``; ``None`` where nobody looked."""
        if self.voted is None:
            return None
        said = votes_told(self.voted, [time_s for _, time_s in self.frames])
        return said if self.camera is None else said | {"camera": self.camera}


def look_for(loud: Loud | None, wide: Watched, near: Watched | None) -> PlateFound:
    """``wide``, ``near``: the overview and the plate camera, ``None`` where there is none.
    ``loud``: ``None`` where no vehicle is known to be the one."""
    if near is None:
        voted = None if loud is None else _read(loud.track, wide.frames)
        return PlateFound(voted, wide.frames)
    apart_s = round(max(map(abs, near.known.beside(wide.known))), 3)
    if loud is None:
        return PlateFound(None, wide.frames, apart_s=apart_s)
    closer, why = _closer(loud, wide, near)
    if closer is not None and closer.text is not None:
        return PlateFound(closer, near.frames, "plate", apart_s=apart_s)
    from_afar = _read(loud.track, wide.frames)
    if closer is not None and from_afar.text is None:
        # Neither says it: people judge by what shows it best.
        return PlateFound(closer, near.frames, "plate", apart_s=apart_s)
    return PlateFound(from_afar, wide.frames, "overview", why, apart_s)


def _closer(loud: Loud, wide: Watched, near: Watched) -> tuple[Voted | None, FellBack]:
    """What the plate camera's pictures say, and why that is no plate, where it is none."""
    if not near.frames:
        return None, "no-pictures"
    if wide.view is None or near.view is None:
        return None, "no-match"
    followed = follow(near.frames)
    if followed is None:
        return None, "no-track"
    found = paired(
        loud.followed,
        loud.track,
        View(wide.view, loud.followed.width, loud.followed.height),
        followed,
        View(near.view, followed.width, followed.height),
        near.known.beside(wide.known),
    )
    if not isinstance(found, Track):
        return None, found
    voted = _read(found, near.frames)
    unread = voted.abstained
    return voted, "no-plate" if unread is None or unread == "no-reader" else unread


def _read(track: Track, frames: Frames) -> Voted:
    return read_several(list(rows_of(track, frames)))


def votes_told(voted: Voted, moments: Sequence[float]) -> dict[str, Any]:
    """``votes.json``: what each picture was read as. ``moments``: of the pictures, seconds since
    1970."""
    return {
        "plate": voted.text,
        "confidence": voted.confidence,
        "votes": [
            {
                "t": datetime.fromtimestamp(moments[vote.frame], UTC).isoformat(),
                "box": [vote.plate.x, vote.plate.y, vote.plate.width, vote.plate.height],
                "text": vote.text,
                "confidence": vote.confidence,
                "characters": [round(each, 3) for each in vote.characters],
            }
            for vote in voted.each
            if vote.text is not None
        ],
    }
