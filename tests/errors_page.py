"""``docs/errors.md``: every error code with its cause and remedy, from the classes themselves.

``python -m errors_page`` writes the page, ``--check`` says whether it is what the classes say.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import vigil_cloud
import vigil_edge
import vigil_schemas
import vigil_sim
from vigil_schemas.errors import VigilError

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "errors.md"
CODES: Final = ROOT / "cloud" / "web" / "src" / "lib" / "i18n" / "codes.json"
PACKAGES: Final = {
    vigil_schemas: "Both ends 兩端共用",
    vigil_edge: "Gateway 閘道器",
    vigil_cloud: "Cloud 雲端",
    vigil_sim: "Simulator 模擬器",
}
_HEAD: Final = """\
# Errors 錯誤代碼
Generated from the classes by `make schemas`; `make check` compares. Search it for the code that a
command, a log line, an answer of the API or a page shows. The pages explain each code of the
gateway and the cloud in the reader's language; 中文說明與網頁上的相同。
"""


def errors() -> Iterator[type[VigilError]]:
    """Every class that gives itself a code, by package and code."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    def below(base: type[VigilError]) -> Iterator[type[VigilError]]:
        for one in base.__subclasses__():
            yield one
            yield from below(one)

    # By name: a test that loads a module anew leaves its classes there twice.
    ours = {
        (one.code, one.__module__, one.__qualname__): one
        for one in below(VigilError)
        if "code" in vars(one)
        and one.__module__.split(".")[0] in {package.__name__ for package in PACKAGES}
    }
    return iter(ours[name] for name in sorted(ours))


def cause(error: type[VigilError]) -> str:
    """The first paragraph of the class's docstring, on one line."""
    return " ".join((error.__doc__ or "").split("\n\n")[0].split())


def page() -> str:
    """The whole document."""
    known = json.loads(CODES.read_text("utf-8"))
    found = list(errors())
    parts = [_HEAD]
    for package, title in PACKAGES.items():
        parts.append(f"\n## {title}\n| code | cause | remedy | 說明 |\n|---|---|---|---|\n")
        for error in found:
            if error.__module__.split(".")[0] == package.__name__:
                chinese = known.get(error.code, {}).get("zh-TW", "–")
                cells = (f"`{error.code}`", cause(error), error.remedy, chinese)
                row = " | ".join(cell.replace("|", "\\|") for cell in cells)
                parts.append(f"| {row} |\n")
    return "".join(parts).replace("``", "`")


def main(arguments: list[str]) -> int:
    """Exit code 1 where ``--check`` finds another page than the classes give."""
    text = page()
    if "--check" in arguments:
        if PAGE.is_file() and PAGE.read_text("utf-8") == text:
            return 0
        print("docs/errors.md is not what the classes say; run `make schemas`", file=sys.stderr)
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
