"""What passwords cost whoever has stolen their hashes."""

from __future__ import annotations

import subprocess
import sys

from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY


def test_the_programs_hash_with_the_parameters_of_rfc_9106() -> None:
    # In a process of its own: the tests' own hashes are made cheaply.
    ask = "from vigil_cloud.identity.passwords import hash_password as h; print(h('three herons'))"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)

    assert extract_parameters(said.stdout.strip()) == RFC_9106_LOW_MEMORY
