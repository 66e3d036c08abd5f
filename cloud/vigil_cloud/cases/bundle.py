"""A case as one file that leaves the house: its dossier as PDF and JSON, the records that it names,
and the sealed packages that it rests on with the keys of their gateways. ``bundle_check`` verifies
it without the cloud.

The packages hold by their gateways' signatures. The dossier is no more than what the platform says:
its digest and the paper's are written into the audit chain as they are issued, so that a city can
tell years later whether they were.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import IO, Final, NamedTuple

from vigil_cloud.cases.package_page import page_of
from vigil_cloud.cases.port import CaseKind, Record
from vigil_cloud.devices.epochs import public_keys
from vigil_cloud.evidence import service
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.identity.reader import Reader
from vigil_cloud.services import Services
from vigil_schemas.dossier import CaseDossier

DOSSIER: Final = "dossier.json"
PAPER: Final = "dossier.pdf"
KEYS: Final = "keys.json"
README: Final = "README.txt"
FOLDER: Final = "evidence/"
RECORDS: Final = "records/"
_CHUNK: Final = 256 * 1024
_TEXT: Final = """\
{number}

dossier.pdf    案件卷宗 The case, to be read.
dossier.json   同一內容，供程式使用 The same for programs. SHA-256: {sha256}
evidence/      閘道器封存之原始證據 Evidence as its gateway sealed it; the .html beside it plays the
               blurred copy and verifies itself in a browser. 同名 .html 可離線播放並自行查驗。
records/       監測紀錄，雜湊值列於卷宗 Readings; the dossier names their digests.
keys.json      閘道器公鑰 Public keys of the gateways (Ed25519).

離線查核 Verify off line:  vigil-cloud evidence verify {number}.zip
公鑰應另向本府索取並比對 Ask for the public key by another way, and give it with --key.
"""


def packages(services: Services, reader: Reader, made: CaseDossier) -> Sequence[EvidenceRow]:
    """Sealed packages of the dossier's alerts that are there and that the reader may have."""
    found = {one.evidence_sha256 for one in made.alerts if one.evidence_sha256 is not None}
    with services.sessions() as session:
        there = [sha256 for sha256 in sorted(found) if session.get(EvidenceRow, sha256) is not None]
        return [service.evidence_for(session, reader, sha256)[0] for sha256 in there]


class Content(NamedTuple):
    """What goes into one file."""

    dossier: CaseDossier
    paper: bytes
    packages: Sequence[EvidenceRow]
    records: Sequence[Record]


def write(services: Services, kind: CaseKind, content: Content) -> IO[bytes]:
    """The whole file, at its beginning; it has no name on the disk and is gone when it is closed.
    Raises ``NoSpaceForEvidence``, ``ObjectMissing``, ``ObjectsUnavailable``."""
    made, paper, rows, records = content
    read = sum(len(one.content) for one in records)
    service.keep_room(services, sum(row.size for row in rows) + 2 * len(paper) + read)
    with services.sessions() as session:
        gateways = sorted({row.gateway for row in rows})
        keys = {one: [key.hex() for key in public_keys(session, one)] for one in gateways}
    file = tempfile.TemporaryFile(dir=services.settings.data_dir)  # noqa: SIM115 - the caller's
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(README, _TEXT.format(number=made.number, sha256=made.sha256))
            archive.writestr(PAPER, paper)
            archive.writestr(DOSSIER, made.model_dump_json())
            archive.writestr(KEYS, json.dumps(keys, indent=1))
            for one in records:
                archive.writestr(f"{RECORDS}{one.name}", one.content)
            for row in rows:
                page = page_of(services, kind, row)
                if page is not None:
                    archive.writestr(f"{FOLDER}{row.sha256}.html", page)
                with archive.open(f"{FOLDER}{row.sha256}.zip", "w", force_zip64=True) as entry:
                    for chunk in services.objects.read(row.object_name):
                        entry.write(chunk)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def stream(file: IO[bytes]) -> Iterator[bytes]:
    """Its bytes; it is closed behind the last."""
    with closing(file):
        while chunk := file.read(_CHUNK):
            yield chunk
