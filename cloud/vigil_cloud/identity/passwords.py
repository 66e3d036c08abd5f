"""Passwords: argon2id hashes, and a refusal of those that everybody would try first."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from vigil_cloud.identity.errors import TooBusy, WeakPassword

MIN_CHARACTERS: Final = 12
_KNOWN: Final = ("password", "vigil", "changeme", "letmein", "qwerty", "12345", "admin", "iloveyou")
_hasher = PasswordHasher()
AT_ONCE: Final = 2
"""Passwords looked at together: each takes 64 MiB and a processor on purpose."""
IN_LINE: Final = 10
"""How many may wait for that or be there; each holds one of the API's threads."""
_hashing = threading.BoundedSemaphore(AT_ONCE)
_line = threading.BoundedSemaphore(IN_LINE)


@contextmanager
def turn() -> Iterator[None]:
    """Around everything that hashes for a request: a flood of sign-ins must not take the
    memory and the threads that alerts need. Raises ``TooBusy`` where the line is full."""
    if not _line.acquire(blocking=False):
        raise TooBusy("Too many people sign in at this moment; try again.", {"Retry-After": "1"})
    try:
        with _hashing:
            yield
    finally:
        _line.release()


@contextmanager
def quick() -> Iterator[None]:
    """For a rehearsal alone: argon2id with its smallest parameters. Thousands of simulated people
    sign in there, with one password that everybody may know, and what costs an attacker a second
    would cost the rehearsal an hour."""
    global _hasher
    kept, _hasher = _hasher, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    try:
        yield
    finally:
        _hasher = kept


def hash_password(password: str) -> str:
    """An argon2id hash with its own salt and the library's current parameters (RFC 9106)."""
    return _hasher.hash(password)


def check_strength(username: str, password: str) -> None:
    """Raises ``WeakPassword``; the words that it must not rest on are matched without case."""
    if len(password) < MIN_CHARACTERS:
        raise WeakPassword(
            f"A password needs at least {MIN_CHARACTERS} characters.",
            least_characters=MIN_CHARACTERS,
        )
    rest = password.lower()
    for word in (username.lower(), *_KNOWN):
        rest = rest.replace(word, "")
    if len(set(rest)) < 5:
        raise WeakPassword(
            "This password is easily guessed; choose several unrelated words.",
            least_characters=MIN_CHARACTERS,
        )


def verify(password_hash: str | None, password: str) -> bool:
    """Whether they go together. Takes as long where there is no such account."""
    nobodys = _nobodys_hash()  # for either kind: the first of all takes longer for both
    try:
        return _hasher.verify(password_hash or nobodys, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def _nobodys_hash() -> str:
    """Made when it is first needed: it takes long on purpose, and most processes look at none."""
    return _hasher.hash("a password that no account has")


def outdated(password_hash: str) -> bool:
    """Whether it was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)
