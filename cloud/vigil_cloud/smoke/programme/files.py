"""The programme as files: applications, what became of them, and the city's villages.

A file only adds. It is taken whole or not at all: each mistake is told with its line. Applications
are one line each, ``name``, ``phone``, ``address``, ``district``, ``village``, ``risks`` (``;``
between them), ``latitude``, ``longitude``, ``household``, or as ``CHINESE`` names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite, nan
from typing import ClassVar, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.identity import audit, districts, person_keys
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader
from vigil_cloud.smoke.programme import applications, home_rows
from vigil_cloud.smoke.programme.applications import Application
from vigil_cloud.smoke.programme.eligibility import RISKS
from vigil_cloud.smoke.programme.home_rows import Resident
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammeVillage
from vigil_cloud.spreadsheets import NoTable, rows_of, table
from vigil_schemas.errors import VigilError

LARGEST: Final = 1024 * 1024
MOST_ROWS: Final = 500
"""Written in one transaction: whatever else is written waits for a second or two."""
MOST_MISTAKES: Final = 100
LONGEST_VILLAGE: Final = 40
COLUMNS: Final = (
    *("name", "phone", "address", "district", "village", "risks"),
    *("latitude", "longitude", "household"),
)
VILLAGE_COLUMNS: Final = (
    *("village", "name", "name_zh", "district", "households", "latitude", "longitude"),
)
EXPORTED: Final = (
    *COLUMNS,
    *("phase", "round", "applied", "alarms", "expires", "warranty_until", "next_visit"),
)
CHINESE: Final = {
    "姓名": "name",
    "電話": "phone",
    "地址": "address",
    "行政區": "district",
    "里別": "village",
    "風險": "risks",
    "緯度": "latitude",
    "經度": "longitude",
    "住戶": "household",
    "戶數": "households",
}
RISK_ZH: Final = {
    "獨居老人": "elder-alone",
    "老人同住": "elders-only",
    "身心障礙": "disability",
    "低收入": "low-income",
    "中低收入": "middle-low-income",
    "居家照護": "care-at-home",
    "木造鐵皮": "wooden-or-iron-house",
    "狹小巷弄": "narrow-lane",
    "租賃套房": "rented-rooms",
    "囤積": "hoarding",
    "曾經失火": "fire-before",
}
_BETWEEN: Final = str.maketrans({"；": ";", "、": ";", ",": ";"})


class BadProgrammeFile(ApiError):
    """A file that is no table of the columns that are known."""

    code: ClassVar[str] = "bad-programme-file"
    remedy: ClassVar[str] = (
        "Use a CSV file in UTF-8, UTF-16 or Big5 with the columns of docs/smoke.md,"
        " of 500 lines at most."
    )
    status: ClassVar[int] = 422


class _BadRow(VigilError):
    """What is wrong with one line."""

    code: ClassVar[str] = "bad-programme-row"
    remedy: ClassVar[str] = "Correct the line."


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one line; the header is line 1."""

    line: int
    text: str


@dataclass(slots=True)
class Done:
    """What a file does, or would do."""

    rows: int = 0
    added: int = 0
    mistakes: list[Mistake] = field(default_factory=list)


def take(
    session: Session, cipher: Cipher, content: bytes, *, villages: bool, by: str, now: datetime
) -> Done:
    """Everything that the lines ask for. Where there is a mistake, the caller rolls back. Raises
    ``BadProgrammeFile``."""
    try:
        rows = rows_of(content, VILLAGE_COLUMNS if villages else COLUMNS, CHINESE, MOST_ROWS)
    except NoTable as error:
        raise BadProgrammeFile(str(error)) from error
    done = Done(rows=len(rows))
    for line, row in rows:
        try:
            with session.begin_nested():
                if villages:
                    _village(session, row)
                else:
                    applications.apply(session, cipher, _application(row), by=by, now=now)
            done.added += 1
        except (VigilError, ValidationError, ValueError) as error:
            if len(done.mistakes) < MOST_MISTAKES:
                done.mistakes.append(Mistake(line, _said(error)))
    return done


def written(session: Session, cipher: Cipher, reader: Reader, now: datetime) -> str:
    """Every home of the reader's districts. That it was taken out is noted."""
    rows = session.scalars(
        select(ProgrammeHome).where(home_rows.inside(reader)).order_by(ProgrammeHome.applied)
    ).all()
    person_keys.load(session, (home_rows.own_key(row.id) for row in rows))
    lines = [_line(row, home_rows.particulars(session, cipher, row)) for row in rows]
    audit.append(
        session,
        at=now,
        account=reader.username,
        action="programme.exported",
        subject="",
        detail={"homes": len(rows)},
    )
    return table(EXPORTED, lines)


def _line(row: ProgrammeHome, said: Resident) -> Sequence[str]:
    state = home_rows.STATE.validate_python(row.state)
    found = (
        *(said.name, said.phone, said.address, row.district, row.village, ";".join(row.risks)),
        *(said.latitude, said.longitude, row.household, row.phase, state.round),
        *(row.applied.date(), ";".join(one.serial for one in state.hanging), state.expires),
        *(state.warranty_until, state.next_visit),
    )
    return ["" if one is None else str(one) for one in found]


def _application(row: Mapping[str, str]) -> Application:
    risks = [one.strip() for one in row["risks"].translate(_BETWEEN).split(";") if one.strip()]
    risks = [RISK_ZH.get(one, one) for one in risks]
    unknown = [one for one in risks if one not in RISKS]
    if unknown:
        raise _BadRow(f"risks: {unknown[0]!r} is none of {', '.join(RISKS)}")
    if len(row["village"]) > LONGEST_VILLAGE:
        raise _BadRow(f"village: a name of {LONGEST_VILLAGE} characters at most")
    return Application(
        particulars=Resident(
            name=row["name"],
            phone=row["phone"],
            address=row["address"],
            latitude=_number(row, "latitude"),
            longitude=_number(row, "longitude"),
        ),
        risks=tuple(risks),
        source="file",
        district=row["district"] or None,
        village=row["village"],
        household=row["household"] or None,
    )


def _village(session: Session, row: Mapping[str, str]) -> None:
    code = row["village"]
    if not code or len(code) > LONGEST_VILLAGE:
        raise _BadRow(f"village: a name of 1 to {LONGEST_VILLAGE} characters")
    households = _number(row, "households")
    if households is None or households < 0 or not float(households).is_integer():
        raise _BadRow("households: a whole number")
    if row["district"]:
        districts.require(session, row["district"])
    position = _number(row, "latitude"), _number(row, "longitude")
    if None not in position and not (abs(position[0] or 0) <= 90 and abs(position[1] or 0) <= 180):
        raise _BadRow("latitude and longitude in degrees")
    known = session.get(ProgrammeVillage, code) or ProgrammeVillage(code=code)
    known.name, known.name_zh = row["name"][:80] or code, row["name_zh"][:80] or code
    known.district, known.households = row["district"] or None, int(households)
    known.latitude, known.longitude = position
    session.add(known)
    session.flush()


def _number(row: Mapping[str, str], name: str) -> float | None:
    if not row[name]:
        return None
    try:
        number = float(row[name])
    except ValueError:
        number = nan
    if not isfinite(number):
        raise _BadRow(f"{name}: {row[name][:20]!r} is no number")
    return number


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
