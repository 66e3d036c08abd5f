"""What a shell completes of a program's commands, options and files, printed for that shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

SHELLS: Final = ("bash", "zsh", "fish", "tcsh")
WORD: Final = "completion"
ABOUT: Final = "print what a shell completes: `source <(PROGRAM completion bash)`"


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    whole: Callable[[], argparse.ArgumentParser],
) -> None:
    """The command ``completion SHELL``. ``whole``: the program's parser with every command."""
    about = ABOUT.replace("PROGRAM", commands._prog_prefix.split()[0])
    parser = commands.add_parser(WORD, help=about, description=about)
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=lambda given: _print(whole(), given.shell))


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completions of a program, for ``/usr/share/bash-completion/completions`` and its like.

    What an argument takes a path for is completed with files.
    """
    import shtab  # only here: no other command needs it

    _offer_files(parser, shtab.FILE)
    found: str = shtab.complete(parser, shell)
    return found


def _print(parser: argparse.ArgumentParser, shell: str) -> int:
    sys.stdout.write(script(parser, shell).rstrip("\n") + "\n")
    return 0


def _offer_files(parser: argparse.ArgumentParser, files: object) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                _offer_files(child, files)
        elif action.type is Path:
            action.complete = files  # type: ignore[attr-defined]  # shtab's way to be told
