"""What `pip install vigil-city[…]` brings: every file that the programs need, and no test."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "vigil_schemas": ROOT / "schemas",
    "vigil_edge": ROOT / "edge",
    "vigil_cloud": ROOT / "cloud",
    "vigil_sim": ROOT / "firmware-sim",
}
EXTRA = {"vigil_edge": "edge", "vigil_cloud": "cloud", "vigil_sim": "sim"}
MODULES = {
    "opencv-python-headless": "cv2",
    "paho-mqtt": "paho",
    "pyserial": "serial",
    "fonttools": "fontTools",
    "pillow": "PIL",
    "psycopg": "psycopg",
    "argon2-cffi": "argon2",
    "opening-hours-py": "opening_hours",
}
"""Distributions whose modules are called otherwise than they are."""
OF_OTHERS = {
    # Parts of what an extra names: of pydantic, fastapi and influxdb-client.
    "vigil_schemas": {"pydantic_core"},
    "vigil_edge": {"pydantic_core"},
    "vigil_sim": {"pydantic_core"},
    "vigil_cloud": {"pydantic_core", "starlette", "anyio", "urllib3"},
    # Imported by the gateway's process, which has bleak: nothing of the simulator imports it.
    "vigil_sim/checkin/bleak_backend.py": {"bleak"},
    # Protocol Buffers, which mapbox-vector-tile brings: what it raises.
    "vigil_cloud/street_map/pmtiles_file.py": {"google"},
    # Of the extra ``journeys``, imported where a browser is started.
    "vigil_sim/demo/browser.py": {"playwright"},
    "vigil_sim/demo/journeys.py": {"playwright"},
    # Of the extra ``noise``, imported where a packed recording is read.
    "vigil_edge/noise/classify/reading.py": {"soundfile"},
    # Of the extra ``plates``, imported where a plate is read.
    "vigil_edge/noise/plate/reader.py": {"PIL"},
    "vigil_edge/noise/plate/recogniser.py": {"onnxruntime"},
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Of a clean checkout: with the pages that the build itself has made."""
    modules = ROOT / "cloud/web/node_modules"
    if not modules.is_dir():
        pytest.skip("the web packages are not installed: make setup")
    root, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    check_out(root)
    assert not (root / "cloud/vigil_cloud/static").exists()
    (root / "cloud/web/node_modules").symlink_to(modules)
    done = build(root, folder)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def build(root: Path, folder: Path, *, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environment = os.environ if path is None else {**os.environ, "PATH": path}
    return subprocess.run(
        command,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )


def check_out(root: Path) -> None:
    """The files that git knows, as they are now: no built pages."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if name and not name.startswith("tests/") and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)


def test_without_pages_and_npm_there_is_no_wheel(tmp_path: Path) -> None:
    check_out(root := tmp_path / "checkout")

    done = build(root, tmp_path / "dist", path=str(tmp_path))

    assert done.returncode != 0
    assert "the web pages are not built and npm is not here" in done.stderr
    assert not list((tmp_path / "dist").glob("*.whl"))


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("vigil-edge", ["noise", "replay", "street.wav"]),
        ("vigil-cloud", ["seed", "seed.toml"]),
        ("vigil-sim", ["check", "city-night"]),
    ],
)
def test_a_program_without_its_extra_says_so_in_one_line(
    program: str, words: list[str], wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path)
    # What every install has: pydantic and what that needs, and nothing of an extra.
    for name in ("pydantic", "pydantic_core", "annotated_types", "typing_extensions.py"):
        spec = importlib.util.find_spec(name.removesuffix(".py"))
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        (tmp_path / name).symlink_to(origin if name.endswith(".py") else origin.parent)
    inspection = importlib.util.find_spec("typing_inspection")
    assert inspection is not None
    assert inspection.origin is not None
    (tmp_path / "typing_inspection").symlink_to(Path(inspection.origin).parent)
    package = program.replace("-", "_")

    # -S: the interpreter's own site-packages stay out.
    done = subprocess.run(
        [sys.executable, "-S", "-m", package, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
    )

    assert done.returncode == 2
    assert re.fullmatch(rf"{program}: package-missing: \S+ is not installed; .+\n", done.stderr)
    assert f"[{program.removeprefix('vigil-')}]" in done.stderr


def sources(suffixes: frozenset[str] | None = None) -> set[str]:
    """Names that the packages' files would have in the wheel."""
    return {
        path.relative_to(root).as_posix()
        for package, root in PACKAGES.items()
        for path in (root / package).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and (suffixes is None or path.suffix in suffixes)
        and "static" not in path.parts  # may be built again while this runs
    }


def test_it_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert sources() - names == set()
    for name in (
        "vigil_cloud/static/index.html",
        "vigil_cloud/static/atlas/index.json",
        "vigil_cloud/database/migrations/env.py",
        "vigil_cloud/database/migrations/script.py.mako",
        "vigil_cloud/database/migrations/versions/0001_initial.py",
        "vigil_sim/scenarios/city-night.toml",
        "vigil_cloud/py.typed",
    ):
        assert name in names
    assert any(name.startswith("vigil_cloud/static/assets/") for name in names)


def test_it_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert not [
        name for name in wheel.namelist() if "node_modules" in name or "__pycache__" in name
    ]


def metadata(wheel: zipfile.ZipFile) -> dict[str, set[str]]:
    """Modules that each extra installs, beside those that every install has."""
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    found: dict[str, set[str]] = {extra: set() for extra in EXTRA.values()}
    for line in message_from_bytes(wheel.read(name)).get_all("Requires-Dist", []):
        requirement = Requirement(line)
        module = MODULES.get(requirement.name, requirement.name).replace("-", "_")
        for extra, modules in found.items():
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                modules.add(module)
    return found


def imported(text: str) -> set[str]:
    """Names of the top packages that a module imports anywhere, but not only for types."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", [*EXTRA, "vigil_schemas"])
def test_each_extra_installs_what_its_package_imports(package: str, wheel: zipfile.ZipFile) -> None:
    extras = metadata(wheel)
    extra = EXTRA.get(package)
    there = extras[extra] if extra else set.intersection(*extras.values())
    there = there | {package, "vigil_schemas"} | OF_OTHERS.get(package, set())
    lacking = {}
    for name in sources(frozenset({".py"})):
        if name.startswith(f"{package}/"):
            wanted = imported(wheel.read(name).decode()) - set(sys.stdlib_module_names)
            if missing := wanted - there - OF_OTHERS.get(name, set()):
                lacking[name] = missing
    assert lacking == {}


def test_all_names_of_the_programs_lead_somewhere(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    lines = [line for line in wheel.read(name).decode().splitlines() if " = " in line]
    programs = dict(line.split(" = ") for line in lines)
    assert set(programs) == {"vigil-edge", "vigil-cloud", "vigil-sim"}
    for target in programs.values():
        module, _, function = target.partition(":")
        text = wheel.read(module.replace(".", "/") + ".py").decode()
        assert f"def {function}(" in text
