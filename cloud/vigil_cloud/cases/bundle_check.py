"""Is a case's file what left the house? Asked of the file alone, years later and elsewhere.

Memory is bounded: nothing is unpacked but one package at a time, into a file without a name that
others could open.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from pydantic import ValidationError

from vigil_cloud.cases.bundle import DOSSIER, FOLDER, KEYS, PAPER, README, RECORDS
from vigil_cloud.evidence.layout import PACKAGE, Fault
from vigil_cloud.evidence.stamp import EvidenceStamp, examine_stamp
from vigil_cloud.evidence.verification import LARGEST_ZIP, Bounded, examine
from vigil_schemas.dossier import CaseDossier, digest_of
from vigil_schemas.evidence import EvidenceManifest

LARGEST_TEXT: Final = 16 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_BROKEN: Final = (
    *(zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError),
    zipfile.zlib.error,  # type: ignore[attr-defined]  # zlib as zipfile found it
)


@dataclass(slots=True)
class Examined:
    """What a file is, and what is wrong with it."""

    dossier: CaseDossier | None = None
    paper: str = ""
    """SHA-256 of the PDF as it lies there. Nothing in the file seals it: whether it is the one that
    was issued, the audit chain of the city tells (``case.dossier-issued``)."""
    records: list[str] = field(default_factory=list)
    """Names of those that are what the dossier names."""
    packages: list[str] = field(default_factory=list)
    """Digests of those whose seal holds."""
    pages: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each page of a package as it lies there. It verifies what it shows by itself, but
    nothing in the file seals the page: the city makes the same one again."""
    stamps: dict[str, EvidenceStamp] = field(default_factory=dict)
    """Time stamps of those packages that have one, by digest."""
    authorities: Sequence[x509.Certificate] = ()
    """Whose time stamps the asker trusts."""
    key_given: bool = False
    """By whoever asks; else the keys are those that the file itself brings."""
    faults: list[Fault] = field(default_factory=list)


def is_bundle(path: Path) -> bool:
    """Whether it holds a dossier. Raises ``OSError`` where the file cannot be opened."""
    with Bounded(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return DOSSIER in archive.namelist()
        except _BROKEN:
            return False


def examine_bundle(
    path: Path, key: bytes | None, authorities: Sequence[x509.Certificate] = ()
) -> Examined:
    """Everything that is wrong with it. ``key``: of the gateway, as the asker knows it.
    ``authorities``: whose time stamps the asker trusts."""
    found = Examined(key_given=key is not None, authorities=authorities)
    try:
        with Bounded(path) as file, zipfile.ZipFile(file):
            pass  # its list of contents is no longer than any case needs
        with zipfile.ZipFile(path) as archive:
            _examine(archive, key, found)
    except _BROKEN as error:
        found.faults.append(Fault(PACKAGE, f"is not a whole zip: {error}"))
    return found


def _examine(archive: zipfile.ZipFile, key: bytes | None, found: Examined) -> None:
    entries = {info.filename: info for info in archive.infolist()}
    if len(entries) != len(archive.infolist()):
        found.faults.append(Fault(PACKAGE, "holds a name twice"))
    for name in (PAPER, README):
        if name not in entries:
            found.faults.append(Fault(name, "is missing"))
            continue
        digest, wrong = _digest_of(archive, entries[name])
        if wrong is not None:
            found.faults.append(Fault(name, wrong))
        elif name == PAPER:
            found.paper = digest
    said = _json(archive, entries, DOSSIER, found)
    keys = _keys(_json(archive, entries, KEYS, found), key)
    dossier = found.dossier = _dossier(said, found)
    if dossier is None:
        return
    wanted = {one.evidence_sha256 for one in dossier.alerts if one.evidence_sha256}
    for sha256 in sorted(wanted):
        name = f"{FOLDER}{sha256}.zip"
        if name not in entries:
            found.faults.append(Fault(name, "is missing"))
        else:
            _package(archive, entries[name], sha256, keys, found)
        _page(archive, entries.get(f"{FOLDER}{sha256}.html"), found)
    packages = {f"{FOLDER}{sha256}.{kind}" for sha256 in wanted for kind in ("zip", "html")}
    records = _records(archive, entries, dossier, found)
    for name in sorted(set(entries) - {README, PAPER, DOSSIER, KEYS, *packages, *records}):
        found.faults.append(Fault(name, "does not belong to the dossier"))


def _records(
    archive: zipfile.ZipFile,
    entries: dict[str, zipfile.ZipInfo],
    dossier: CaseDossier,
    found: Examined,
) -> set[str]:
    """Names of the records that the dossier names, after comparing them with what it says."""
    wanted = {f"{RECORDS}{one.name}": one for one in dossier.records}
    for name, one in wanted.items():
        if name not in entries:
            found.faults.append(Fault(name, "is missing"))
            continue
        digest, wrong = _digest_of(archive, entries[name])
        if wrong is not None or digest != one.sha256:
            found.faults.append(Fault(name, wrong or "is not what the dossier names"))
        else:
            found.records.append(one.name)
    return set(wanted)


def _page(archive: zipfile.ZipFile, page: zipfile.ZipInfo | None, found: Examined) -> None:
    if page is None:
        return
    digest, wrong = _digest_of(archive, page)
    if wrong is not None:
        found.faults.append(Fault(page.filename, wrong))
    else:
        found.pages[page.filename] = digest


def _dossier(said: Any, found: Examined) -> CaseDossier | None:
    if not isinstance(said, dict):
        return None
    try:
        dossier = CaseDossier.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        found.faults.append(Fault(DOSSIER, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
        return None
    if digest_of(said) != dossier.sha256:
        found.faults.append(Fault(DOSSIER, "is not what its own SHA-256 says"))
    for number in dossier.history_broken:
        found.faults.append(Fault(DOSSIER, f"line {number} of its history does not fit the audit"))
    return dossier


def _digest_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, str | None]:
    """Its SHA-256, and why it cannot be read."""
    digest = hashlib.sha256()
    try:
        with archive.open(info) as entry:
            while chunk := entry.read(_CHUNK):
                digest.update(chunk)
    except _BROKEN as error:
        return "", f"cannot be read: {error}"
    return digest.hexdigest(), None


def _json(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str, found: Examined
) -> Any:
    if name not in entries:
        found.faults.append(Fault(name, "is missing"))
        return None
    if entries[name].file_size > LARGEST_TEXT:
        found.faults.append(Fault(name, "is larger than any dossier"))
        return None
    try:
        with archive.open(entries[name]) as entry:
            return json.loads(entry.read(LARGEST_TEXT + 1))
    except _BROKEN as error:
        found.faults.append(Fault(name, f"cannot be read: {error}"))
        return None


def _keys(said: Any, key: bytes | None) -> list[bytes]:
    if key is not None:
        return [key]
    texts = [one for many in said.values() for one in many] if isinstance(said, dict) else []
    found = []
    for text in texts:
        try:
            found.append(bytes.fromhex(text))
        except (TypeError, ValueError):
            continue
    return found


def _package(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    sha256: str,
    keys: list[bytes],
    found: Examined,
) -> None:
    """One sealed package: by its digest, then by its seal and contents."""
    if info.file_size > LARGEST_ZIP:
        found.faults.append(Fault(info.filename, "is larger than any evidence"))
        return
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(prefix="vigil-", suffix=".zip") as file:
        try:
            with archive.open(info) as entry:
                while chunk := entry.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
        except _BROKEN as error:
            found.faults.append(Fault(info.filename, f"cannot be read: {error}"))
            return
        file.flush()
        if digest.hexdigest() != sha256:
            found.faults.append(Fault(info.filename, "is not what the dossier names"))
            return
        if not keys:
            found.faults.append(Fault(info.filename, "no key is there to verify its seal with"))
            return
        copy = Path(file.name)
        best = min((examine(copy, public_key=key) for key in keys), key=lambda one: len(one.faults))
        least = best.faults
        if not least and isinstance(best.manifest, EvidenceManifest):
            stamped = examine_stamp(copy, best.manifest, found.authorities)
            least = [*stamped.faults]
            if stamped.stamp is not None and not least:
                found.stamps[sha256] = stamped.stamp
    if least:
        found.faults += [Fault(f"{info.filename}/{one.where}", one.what) for one in least]
    else:
        found.packages.append(sha256)
