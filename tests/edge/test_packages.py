"""What each kind of gateway installs, what is missing of it, and who is told."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edge.device.supervised import RecordedContext, supervised
from vigil_edge import packages
from vigil_edge.cli import main
from vigil_edge.device.seam import Pipeline
from vigil_edge.registry import DOMAINS

ROOT = Path(__file__).parents[2]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))[
    "project"
]["optional-dependencies"]
HEAVY = {"numpy", "scipy", "numba", "opencv-python-headless"}
GATEWAY = """
[gateway]
id = "gw-1"
data_dir = "data"
[cloud]
broker = "mqtt://127.0.0.1:1883"
[[water]]
device = "canal-1"
driver = "modbus-tcp"
address = "127.0.0.1:5020"
[[water.signal]]
name = "temperature"
unit = "Cel"
register = 0
type = "float32"
"""


def whole(extra: str) -> Iterator[Requirement]:
    """What an extra installs, those that it names among it."""
    for text in EXTRAS[extra]:
        requirement = Requirement(text)
        if requirement.name == packages.DISTRIBUTION:
            for inner in requirement.extras:
                yield from whole(inner)
        else:
            yield requirement


def as_built(extra: str) -> list[str]:
    """Requirements of one extra as the build writes them into the metadata."""
    return [
        f"{r.name}{r.specifier}; ({r.marker}) and extra == '{extra}'"
        if r.marker
        else f"{r.name}{r.specifier}; extra == '{extra}'"
        for r in whole(extra)
    ]


def test_each_domain_has_an_extra_and_edge_is_all_of_them() -> None:
    of_domains = {packages.extra_of(domain.key) for domain in DOMAINS}
    assert of_domains <= set(EXTRAS)
    everything = {str(each) for extra in of_domains for each in whole(extra)}
    assert {str(each) for each in whole("edge")} == everything


def test_only_noise_brings_what_is_heavy() -> None:
    for domain in DOMAINS:
        names = {each.name for each in whole(packages.extra_of(domain.key))}
        assert names & HEAVY == (HEAVY if domain.key == "noise" else set()), domain.key


@pytest.mark.parametrize("extra", [name for name in EXTRAS if name.startswith("edge")])
def test_an_extra_is_read_back_from_what_the_build_writes(extra: str) -> None:
    others = as_built("cloud")
    expected = sorted(
        {each.name for each in whole(extra) if each.marker is None or each.marker.evaluate()}
    )
    assert packages.needed(extra, [*others, *as_built(extra)]) == expected
    assert packages.needed("edge-nothing", as_built(extra)) == []


def test_what_is_not_for_this_system_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "gpiod" not in packages.needed("edge-water", as_built("edge-water"))


def installed(folder: Path, name: str, *files: str) -> None:
    """A distribution as pip leaves one behind."""
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    listed = [*files, f"{about.name}/METADATA"]
    (about / "RECORD").write_text("".join(f"{file},,\n" for file in listed))
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


def city(folder: Path, *requirements: str) -> None:
    """Our own distribution, with these requirements."""
    installed(folder, packages.DISTRIBUTION)
    (about,) = folder.glob("vigil_city-*.dist-info")
    lines = "".join(f"Requires-Dist: {text}\n" for text in requirements)
    with (about / "METADATA").open("a") as file:
        file.write(lines)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that is installed, as far as metadata says."""
    folder = tmp_path / "site"
    folder.mkdir()

    def distribution(name: str) -> metadata.Distribution:
        for found in metadata.distributions(name=name, path=[str(folder)]):
            return found
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packages, "distribution", distribution)
    monkeypatch.setattr(packages, "requires", lambda name: distribution(name).requires)
    monkeypatch.setattr(
        packages, "distributions", lambda: metadata.distributions(path=[str(folder)])
    )
    return folder


def check(tmp_path: Path, text: str = GATEWAY) -> int:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    return main(["check", "--config", str(file)])


def test_check_names_the_extra_of_what_is_missing(
    only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    city(only, "pymodbus>=3; extra == 'edge-water'", "pyserial>=3; extra == 'edge-water'")
    installed(only, "pyserial", "serial/__init__.py")
    assert check(tmp_path) == 2
    said = capsys.readouterr().err
    assert "pymodbus is not installed" in said
    assert "[edge-water]" in said
    assert "pyserial" not in said

    installed(only, "pymodbus", "pymodbus/__init__.py")
    assert check(tmp_path) == 0


@pytest.mark.parametrize("other", ["opencv-python", "opencv_contrib_python"])
def test_check_names_two_distributions_of_one_module(
    other: str, only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of any extra: that of water has no OpenCV, so it is given one here.
    city(only, "opencv-python-headless>=4; extra == 'edge-water'")
    installed(only, "opencv-python-headless", "cv2/__init__.py", "cv2/data/__init__.py")
    installed(only, "beside", "besides/__init__.py", "shared/part.py")
    assert check(tmp_path) == 0

    installed(only, other, "cv2/__init__.py")
    assert check(tmp_path) == 2
    said = capsys.readouterr().err
    assert f"opencv-python-headless and {other} are both installed" in said
    assert "pip uninstall" in said


def test_a_folder_that_was_never_installed_is_not_judged(only: Path, tmp_path: Path) -> None:
    assert only.is_dir()
    assert check(tmp_path) == 0


class Lacking:
    """A pipeline whose driver asks for a library only when it runs."""

    async def run(self) -> None:
        import a_library_that_is_nowhere  # type: ignore[import-not-found]  # noqa: F401


async def test_a_source_without_its_library_fails_with_the_extra(tmp_path: Path) -> None:
    context = RecordedContext(tmp_path)

    def build() -> Pipeline:
        return Lacking()

    async with supervised(build, context, "canal-1", extra="edge-water") as record:
        async with asyncio.timeout(30):
            while record.code != "package-missing":  # noqa: ASYNC110 - of code that has no event for it
                await asyncio.sleep(0)
    assert "a_library_that_is_nowhere is not installed" in (record.message or "")
    assert "[edge-water]" in (record.message or "")
    assert record.state == "failed"


def test_a_tool_without_its_library_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("vigil_edge.noise")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert main(["noise", "replay", str(tmp_path / "street.wav")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("vigil-edge: package-missing: ")
    assert "[edge-noise]" in said
