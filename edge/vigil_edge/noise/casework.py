"""What becomes of a case on disk: ``python -m vigil_edge.noise.casework FOLDER [one-by-one]``,
or ``-``: then it loads what it needs and waits for these words (``waiting_program``).

A process of its own, at low priority: its memory goes back when it ends, it cannot hold up the
microphone, and a picture that crashes a codec crashes only this. Two of its jobs run at once where
two processors are there (threads: almost all of each is compiled code that lets the others run, and
what is loaded is loaded once). On one processor, or asked to, they run one after the other, in the
same order: bearing, vehicle and plate with the pictures, then the films, each before its copies:
should time run out on a slow gateway, it is a copy that is missing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, Final

import cv2

from vigil_edge.noise.case_process import ONE_BY_ONE
from vigil_edge.noise.pictures.copies import write_blurred, write_overlay
from vigil_edge.noise.pictures.encode import write_original, write_stills
from vigil_edge.noise.pictures.reading import Film, film_of, plate_film_of
from vigil_edge.waiting_program import given
from vigil_schemas.evidence import CameraRole

NICENESS: Final = 10
AT_ONCE: Final = 2
"""Most processors that a case takes: a gateway with four has others to serve."""
_SWITCH_S: Final = 0.0005
"""Who waits for Python itself waits no longer than this for another thread: a film asks for it
several times a picture."""


def work(folder: Path, at_once: int = AT_ONCE) -> None:
    """All of it. Raises ``ValueError`` and ``OSError`` for a folder that is no case, else an
    ``ExceptionGroup`` of whatever went wrong, once everything else was done."""
    films: list[tuple[CameraRole, Film]] = [("overview", film_of(folder))]
    if (near := plate_film_of(folder)) is not None:
        films.append(("plate", near))
    heard = Event()
    with ThreadPoolExecutor(at_once) as pool:
        jobs: list[Future[Any]] = [pool.submit(_look, folder, films[0][1], near, heard)]
        jobs += [pool.submit(write_original, folder, film, role) for role, film in films]
        for role, film in films:
            jobs.append(pool.submit(_after, heard, write_blurred, folder, film, role))
        jobs.append(pool.submit(_after, heard, write_overlay, folder, films[0][1]))
        jobs.append(pool.submit(_measure, folder))
    wrong = [error for job in jobs if isinstance(error := job.exception(), Exception)]
    if wrong:
        raise ExceptionGroup(f"not all of {folder.name} could be done", wrong)


def _look(folder: Path, film: Film, near: Film | None, heard: Event) -> None:
    """What is found, and the pictures that show it."""
    try:
        # Loaded here and not above: it takes as long as it does to encode a third of a film, which
        # the other processor begins with meanwhile.
        from vigil_edge.noise.looking import hear, look
        from vigil_edge.noise.plate.recogniser import recogniser

        trace = hear(folder)
    finally:
        heard.set()
    shown = look(folder, trace)
    recogniser.cache_clear()  # a third of the memory, that the films need
    write_stills(folder, film, near, shown)


def _load() -> None:
    """What ``_look`` and ``_measure`` load when they are called."""
    from vigil_edge.noise import analysis, looking

    del analysis, looking


def _measure(folder: Path) -> None:
    """Third octaves and spectrogram."""
    from vigil_edge.noise.analysis import measure

    measure(folder)


def _after(heard: Event, copy: Callable[..., list[str]], *of: Any) -> None:
    """The copies show the bearing; where there is none they are made without."""
    heard.wait()
    copy(*of)


def processors() -> int:
    """That this process may use, ``AT_ONCE`` at most."""
    return min(AT_ONCE, len(os.sched_getaffinity(0)))


def main() -> int:
    """The child process."""
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    sys.setswitchinterval(_SWITCH_S)
    said = given(_load)
    if said is None:
        return 0
    folder, *how = said
    work(Path(folder), 1 if ONE_BY_ONE in how else processors())
    return 0


if __name__ == "__main__":
    sys.exit(main())
