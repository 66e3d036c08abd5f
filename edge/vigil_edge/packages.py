"""Which packages a kind of gateway needs, by the distribution's own extras, and what is wrong here.

The extra of a domain is ``edge-<domain>``, and what it installs stands in ``pyproject.toml`` alone:
it is read back from the installed distribution, so that no second list can differ from it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distribution,
    distributions,
    requires,
)
from typing import ClassVar, Final

from vigil_schemas.errors import VigilError

DISTRIBUTION: Final = "vigil-city"
_REQUIREMENT: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)[^;]*;(?P<marker>.*)\bextra == ['\"](?P<extra>[a-z0-9-]+)['\"]"
)
"""As the build writes that of an extra: ``gpiod>=2.2; (sys_platform == 'linux') and extra``."""
_ELSEWHERE: Final = re.compile(r"sys_platform == ['\"](?P<platform>\w+)['\"]")
_FIRST_FILE: Final = re.compile(r"^([^/,\"\n]+/__init__\.py),", re.MULTILINE)
"""A line of ``RECORD`` (Binary distribution format): the first file of a top package."""


class PackageMissing(VigilError):
    """A pipeline's libraries are not installed on this gateway."""

    code: ClassVar[str] = "package-missing"
    remedy: ClassVar[str] = (
        "Install the distribution with the extra that the message names; "
        "`vigil-edge check` says whether anything is still missing."
    )

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; {how(extra)}")
        self.package = package
        self.extra = extra


def extra_of(domain: str) -> str:
    """The extra that installs what a domain's pipelines import."""
    return f"edge-{domain}"


def how(extra: str) -> str:
    """What to do, in a clause."""
    return f"install {DISTRIBUTION} with its extra: pip install 'WHEEL_OR_CHECKOUT[{extra}]'"


def needed(extra: str, listed: Sequence[str] | None = None) -> list[str]:
    """Names of the distributions that an extra installs on this system, in alphabetical order.

    ``listed``: requirements as metadata has them; without it, those of the installed
    distribution (none where it runs from a folder that was never installed).
    """
    if listed is None:
        try:
            listed = requires(DISTRIBUTION) or []
        except PackageNotFoundError:
            return []
    found = set()
    for text in listed:
        asked = _REQUIREMENT.match(text)
        if asked is None or asked["extra"] != extra:
            continue
        platform = _ELSEWHERE.search(asked["marker"])
        if platform is None or platform["platform"] == sys.platform:
            found.add(asked["name"])
    return sorted(found)


def missing(extra: str) -> list[str]:
    """Distributions that an extra installs and that are not here."""
    return [name for name in needed(extra) if not _is_here(name)]


def overwritten(extra: str) -> Iterator[tuple[str, str]]:
    """What an extra installs, and another distribution that brings the same module.

    The two overwrite each other's files: which library runs is an accident, and removing one
    leaves neither. pip says nothing of it.
    """
    ours = {name: opened for name in needed(extra) if (opened := _opened(name)) is not None}
    owners = {place: name for name, opened in ours.items() for place in _modules(opened)}
    if not owners:
        return
    for other in distributions():
        for place in _modules(other):
            owner = owners.get(place)
            # Its name is read last: that parses all of its metadata.
            if owner is not None and _canonical(owner) != _canonical(other.name):
                yield owner, other.name
                break


def _modules(opened: Distribution) -> Iterator[str]:
    """The first file of each top package that it brings: a folder alone may be shared."""
    record = opened.read_text("RECORD")
    if record is not None:  # a hundred thousand lines in all: none is made a path
        yield from _FIRST_FILE.findall(record)
        return
    for file in opened.files or ():
        if len(file.parts) == 2 and file.parts[1] == "__init__.py":
            yield str(file)


def _opened(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _is_here(name: str) -> bool:
    return _opened(name) is not None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
