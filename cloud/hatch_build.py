"""Build hook: a wheel or source distribution holds the built web pages, or is not made.

The pages are generated and not in git: a wheel from a clean clone would serve none.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PagesHook(BuildHookInterface[Any]):
    """Builds ``cloud/web`` into ``cloud/vigil_cloud/static`` where that is missing or older."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the files are collected. Raises ``RuntimeError`` with what to do."""
        del build_data
        if version == "editable":  # `make setup` builds the pages beside it
            return
        cloud = Path(self.root) / "cloud"
        index, web = cloud / "vigil_cloud" / "static" / "index.html", cloud / "web"
        if index.is_file() and not _is_older(index, web):
            return
        if shutil.which("npm") is None:
            if index.is_file():
                self.app.display_warning("npm is not here: the web pages may be outdated")
                return
            raise RuntimeError(
                "the web pages are not built and npm is not here: install Node.js 20 or newer, "
                "or run `make setup` first"
            )
        commands = [["npm", "run", "build"]]
        if not (web / "node_modules").is_dir():
            commands.insert(0, ["npm", "ci", "--no-audit", "--no-fund"])
        for command in commands:
            done = subprocess.run(command, cwd=web, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"{' '.join(command)} failed in {web}:\n{done.stderr[-2000:]}")
        if not index.is_file():
            raise RuntimeError(f"building the web pages did not make {index}")


def _is_older(index: Path, web: Path) -> bool:
    sources = [path for path in (web / "src").rglob("*") if path.is_file()]
    built = index.stat().st_mtime
    return any(path.stat().st_mtime > built for path in sources)
