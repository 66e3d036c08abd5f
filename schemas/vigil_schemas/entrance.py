"""How a console script begins: a package that is not installed is one line, not a traceback."""

from __future__ import annotations

import argparse
import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn


def software() -> str:
    """The version of the distribution that runs."""
    try:
        return version("vigil-city")
    except PackageNotFoundError:
        return "of a folder that was never installed"


def enter(program: str, extra: str, module: str) -> int:
    """Run ``main`` of the module and return its exit status; 2 where an import fails.

    ``extra`` is the one that installs what the program imports.
    """
    try:
        status: int = importlib.import_module(module).main()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0].startswith("vigil_"):
            raise  # a mistake of ours
        sys.stderr.write(
            f"{program}: package-missing: {error.name} is not installed; install vigil-city"
            f" with its extra: pip install 'WHEEL_OR_CHECKOUT[{extra}]'\n"
        )
        return 2
    except ImportError as error:  # a compiled package that lacks a library of the system
        sys.stderr.write(f"{program}: library-missing: {error}\n")
        return 2
    return status


class Parser(argparse.ArgumentParser):
    """Of a command line: whatever is wrong with it is one line, as with a file; ``--help`` says
    the rest."""

    def error(self, message: str) -> NoReturn:
        """Exit 2."""
        self.exit(2, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


def one_line(said: object) -> str:
    """A message for the terminal: whatever a file's own bytes or its name brought into it."""
    text = " ".join(str(said).split())
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
