"""An answer of a time stamping authority (RFC 3161) as strict readers of DER take it.

CMS leaves the order of a stamp's certificates open, and OpenSSL's authorities send them as their
files name them; DER wants a SET OF in the order of its bytes, and a strict reader refuses anything
else. The order is not signed: to sort it changes nothing of what the stamp says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

_SEQUENCE: Final = 0x30
_OF_SIGNED_DATA: Final = 0xA0
_CERTIFICATES: Final = 0xA0
_LONG_FORM: Final = 0x80


class _Part(NamedTuple):
    """One value: its tag, where its content begins, and the byte behind it."""

    tag: int
    start: int
    end: int


def in_order(answer: bytes) -> bytes:
    """The same answer, its certificates in the order of DER. What is no such answer is given back
    as it is: whoever reads it says so."""
    certificates = _certificates(answer)
    if certificates is None:
        return answer
    at, parts = certificates.start, []
    for part in _parts(answer, certificates.start, certificates.end):
        parts.append(answer[at : part.end])
        at = part.end
    if at != certificates.end:
        return answer
    return answer[: certificates.start] + b"".join(sorted(parts)) + answer[certificates.end :]


def _certificates(answer: bytes) -> _Part | None:
    """TimeStampResp → timeStampToken → SignedData → certificates."""
    response = _first(answer, 0, len(answer), _SEQUENCE)
    token = _nth(answer, response, 1, _SEQUENCE)
    signed = _nth(answer, _nth(answer, token, 1, _OF_SIGNED_DATA), 0, _SEQUENCE)
    return _nth(answer, signed, 3, _CERTIFICATES)


def _first(content: bytes, start: int, end: int, tag: int) -> _Part | None:
    found = next(_parts(content, start, end), None)
    return found if found is not None and found.tag == tag else None


def _nth(content: bytes, within: _Part | None, number: int, tag: int) -> _Part | None:
    if within is None:
        return None
    parts = list(_parts(content, within.start, within.end))
    found = parts[number] if number < len(parts) else None
    return found if found is not None and found.tag == tag else None


def _parts(content: bytes, start: int, end: int) -> Iterator[_Part]:
    """Values one after the other, as far as they are whole and of definite length."""
    at = start
    while at + 2 <= end:
        tag, size, begin = content[at], content[at + 1], at + 2
        if size & _LONG_FORM:
            count = size & ~_LONG_FORM
            if not 1 <= count <= 4 or begin + count > end:
                return
            size = int.from_bytes(content[begin : begin + count])
            begin += count
        if begin + size > end:
            return
        at = begin + size
        yield _Part(tag, begin, at)
