"""Every journey to its closed case in Chromium: on a phone and on a desktop, in both languages, by
pointer and by keyboard alone, each page checked with axe-core.

``journeys_closed_<variant>``: how many of how many; ``journeys_taps_<journey>``: the most of any
variant, from the alert to the decision; ``journeys_axe_violations``: of all pages of all variants.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from vigil_sim.journey import HOLDS, LANGUAGES
from vigil_sim.registry import DOMAINS

ROOT = Path(__file__).parents[2]
NIGHT = ROOT / "tests" / "e2e" / "journeys-night.toml"
AXE = ROOT / "cloud" / "web" / "node_modules" / "axe-core" / "axe.min.js"
KEYS = [journey.key for domain in DOMAINS for journey in domain.journeys]


def play(folder: Path, *options: str) -> str:
    """What the demo says; what went wrong stands at its end."""
    command = [str(Path(sys.executable).with_name("vigil-sim")), "demo", "--check", "--journeys"]
    command += ["--scenario", str(NIGHT), "--axe", str(AXE), "--dir", str(folder), *options]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800
    )
    return done.stdout


def main() -> int:
    """Prints the figures; exit code 1 where a journey did not end closed."""
    failed = False
    taps: dict[str, int] = {}
    violations: dict[str, None] = {}
    for holds, language, by in itertools.product(HOLDS, LANGUAGES, ("pointer", "keyboard")):
        options = ["--holds", holds, "--language", language]
        options += ["--keyboard"] if by == "keyboard" else []
        with tempfile.TemporaryDirectory(prefix="vj-") as folder:
            said = play(Path(folder), *options)
        closed = re.findall(r"^journey: (\w+) [\d.]+$", said, re.MULTILINE)
        print(f"journeys_closed_{holds}_{language}_{by}: {len(closed)} of {len(KEYS)}", flush=True)
        if sorted(closed) != sorted(KEYS):
            failed = True
            print("\n".join(said.splitlines()[-8:]), flush=True)
        for what, count in re.findall(r"^taps: (.+) (\d+)$", said, re.MULTILINE):
            taps[what] = max(int(count), taps.get(what, 0))
        violations |= dict.fromkeys(re.findall(r"^axe: \w+ (.+)$", said, re.MULTILINE))
    for what, most in taps.items():
        print(f"journeys_taps_{what.replace(' ', '_')}: {most}")
    for one in violations:
        print(f"axe: {one}")
    print(f"journeys_axe_violations: {len(violations)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
