"""What an inspection rests on: readings as read and corrected, and the visits that say so."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cases_office import Office
from cloud_city import GATEWAY, City, excursion
from vigil_cloud.cases.bundle_check import examine_bundle
from vigil_cloud.database.engine import writing
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water import visits
from vigil_schemas.recordings.errors import OptionWrong

SONDE = "sonde-1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HEADER = "time,station,signal,before,after,standard,reading\n"


@pytest.fixture
def office(city: City) -> Office:
    return Office(city)


def bring(city: City, path: Path, rows: str, *, replace: bool = False) -> visits.Taken:
    path.write_text(HEADER + rows, "utf-8")
    given = visits.read(path)
    with writing(city.services.sessions) as session:
        return visits.put(session, path, given, "keeper", city.time, replace=replace)


def found(at: datetime) -> str:
    """Two visits around ``at``: at the second the standard of 1413 µS/cm reads 1343."""
    before, after = at - timedelta(days=10), at + timedelta(days=10)
    return (
        f"{before.isoformat()},{SONDE},specific_conductance,,,1413,1413\n"
        f"{after.isoformat()},{SONDE},specific_conductance,,,1413,1343\n"
    )


def read_at(city: City, at: datetime, values: dict[str, float]) -> None:
    at_us = int((at - EPOCH) / timedelta(microseconds=1))
    points = [
        Point(Series("water", GATEWAY, SONDE, name), at_us, value, 1)
        for name, value in values.items()
    ]
    city.services.timeseries.write(points)


def bundle(office: Office, case: str, path: Path) -> dict[str, list[dict[str, str]]]:
    answer = office.city.client("inspector").get(f"/api/v1/cases/{case}/dossier.zip")
    assert answer.is_success, answer.text
    path.write_bytes(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {
            name: list(csv.DictReader(io.StringIO(archive.read(f"records/{name}").decode())))
            for name in ("readings.csv", "visits.csv")
        }


def test_the_evidence_has_what_was_read_what_it_is_corrected_and_why(
    office: Office, city: City, tmp_path: Path
) -> None:
    at = city.time
    read_at(city, at, {"specific_conductance": 0.31, "pH": 7.1})
    case = office.water()
    unsaid = {one["title"]: one["value"] for one in case["sections"][0]["facts"]}
    assert unsaid["Last visit before"] == "none registered"
    assert unsaid["Onset, corrected (TM1-D3)"] == "not between two visits: as it was read"

    office.later(days=11)
    assert bring(city, tmp_path / "visits.csv", found(at)) == (2, 0)
    facts = office.see("inspector", case["id"])["sections"][0]
    said = {one["title"]: one["value"] for one in facts["facts"]}
    # At half of the time half of the drift of 70 µS/cm: 3100 was 3135
    assert said["Onset, corrected (TM1-D3)"].startswith("3135 µS/cm (visit of ")
    assert facts["data"]["onset_corrected"] == pytest.approx(0.3135)

    files = bundle(office, case["id"], tmp_path / "dossier.zip")
    rows = {one["parameter"]: one for one in files["readings.csv"]}
    assert (rows["specific_conductance"]["value"], rows["specific_conductance"]["unit"]) == (
        "0.31",
        "S/m",
    )
    assert float(rows["specific_conductance"]["corrected"]) == pytest.approx(0.3135)
    assert (rows["pH"]["value"], rows["pH"]["corrected"]) == ("7.1", "")
    assert [one["reading"] for one in files["visits.csv"]] == ["1413.0", "1343.0"]
    assert [one["unit"] for one in files["visits.csv"]] == ["µS/cm"] * 2

    examined = examine_bundle(tmp_path / "dossier.zip", None)
    assert (examined.faults, examined.records) == ([], ["readings.csv", "visits.csv"])


@pytest.mark.parametrize(
    ("days", "said"), [(2, ""), (4, ", of the first 3 days of each excursion")]
)
def test_a_record_says_where_it_is_cut(
    office: Office, city: City, tmp_path: Path, days: int, said: str
) -> None:
    """An excursion that goes on: its fourth day was missing without a word."""
    case = office.water()
    office.later(days=days)
    answer = city.client("inspector").get(f"/api/v1/cases/{case['id']}/dossier.json")
    title = answer.raise_for_status().json()["records"][0]["title"]
    assert title == f"Readings, as read and corrected{said}"


def test_a_record_that_somebody_changed_is_no_evidence(
    office: Office, city: City, tmp_path: Path
) -> None:
    read_at(city, city.time, {"specific_conductance": 0.31})
    case = office.water()
    office.later(minutes=5)
    assert bundle(office, case["id"], tmp_path / "dossier.zip")["readings.csv"]
    for change in ("changed", "gone"):
        path = tmp_path / f"{change}.zip"
        with (
            zipfile.ZipFile(tmp_path / "dossier.zip") as archive,
            zipfile.ZipFile(path, "w") as other,
        ):
            for name in archive.namelist():
                content = archive.read(name)
                if name == "records/readings.csv":
                    if change == "gone":
                        continue
                    content = content.replace(b"0.31", b"0.21")
                other.writestr(name, content)
        (fault,) = examine_bundle(path, None).faults
        assert fault.where == "records/readings.csv", change


def test_a_case_without_an_excursion_has_no_records(office: Office, tmp_path: Path) -> None:
    case = office.do("inspector", "", {"kind": "water-inspection", "title": "Foam", "note": "x"})
    answer = office.city.client("inspector").get(f"/api/v1/cases/{case['id']}/dossier.json")
    assert answer.raise_for_status().json()["records"] == []


def test_a_finding_is_written_over_only_if_somebody_says_so(
    office: Office, city: City, tmp_path: Path
) -> None:
    path, at = tmp_path / "visits.csv", city.time
    city.send(excursion(at), SONDE)
    office.later(days=11)
    bring(city, path, found(at))
    assert bring(city, path, found(at)) == (2, 2), "the same again changes nothing"
    other = found(at).replace("1343", "1443")
    with pytest.raises(OptionWrong, match="another finding is there"):
        bring(city, path, other)
    bring(city, path, other, replace=True)
    with city.services.sessions() as session:
        (_, last) = visits.rows_of(session, [SONDE])
        assert last.found["standards"] == [[1413.0, 1443.0]]


@pytest.mark.parametrize(("offset", "hour"), [("UTC", 9), ("+08:00", 1), ("8", 1), (None, 9)])
def test_times_without_a_zone_are_read_as_it_is_said(
    tmp_path: Path, offset: str | None, hour: int
) -> None:
    """A spreadsheet here writes the city's time: eight hours off, it decides what is corrected."""
    path = tmp_path / "visits.csv"
    path.write_text(f"{HEADER}2026-02-01 09:00,sonde-1,pH,,,7,7.1\n", "utf-8")
    given = visits.read(path) if offset is None else visits.read(path, offset)
    ((found,),) = given.values()
    assert datetime.fromtimestamp(found.time, UTC) == datetime(2026, 2, 1, hour, tzinfo=UTC)


def test_an_offset_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionWrong, match="--utc-offset"):
        visits.read(tmp_path / "visits.csv", "Taipei")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("2026-02-01T00:00:00Z,nobody,pH,,,7,7.1\n", "there is no probe 'nobody'"),
        ("2027-02-01T00:00:00Z,sonde-1,pH,,,7,7.1\n", "lies ahead"),
        ("2026-02-01T00:00:00Z,sonde-1,orp,,,7,7.1\n", "'orp' is not among the parameters"),
        ("2026-02-01T00:00:00Z,,pH,,,7,7.1\n", "names its probe"),
        ("2026-02-01T00:00:00Z,sonde-1,pH,,,7,\n", "belong together"),
    ],
)
def test_a_visit_that_cannot_be_is_refused(
    office: Office, city: City, tmp_path: Path, row: str, why: str
) -> None:
    city.send(excursion(city.time), SONDE)
    with pytest.raises(OptionWrong, match=why):
        bring(city, tmp_path / "visits.csv", row)
