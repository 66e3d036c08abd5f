"""The register: opening hours, patrols, import and export."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from cloud_city import City
from vigil_cloud.aed import register
from vigil_cloud.aed.exchange import BadImport, from_csv, from_geojson, to_csv, to_geojson
from vigil_cloud.aed.hours import BadOpeningHours, is_always_open, opener
from vigil_cloud.aed.models import AedSite
from vigil_cloud.aed.register import SiteFields

MONDAY = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""Noon in Taipei."""
SITE = {"name": "City hall", "name_zh": "市政府", "latitude": 23.48, "longitude": 120.44}
TWO = {"sites": 2, "kept_out": [], "unknown": []}
WELL = dict.fromkeys(("present", "indicator_ok", "pads_sealed", "cabinet_ok", "sign_visible"), True)


@pytest.mark.parametrize(
    ("hours", "always", "at_noon"),
    [
        ("24/7", True, True),
        ("Mo-Su 00:00-24:00", True, True),
        ("Mo-Fr 08:00-18:00", False, True),
        ("Mo-Fr 08:00-18:00; PH off", False, True),
        ("24/7; PH off", False, True),
        ("24/7; Jan 01 off", False, True),
        ("Sa-Su 08:00-18:00", False, False),
        ("off", False, False),
        ("22:00-06:00", False, False),
    ],
)
def test_opening_hours(hours: str, always: bool, at_noon: bool) -> None:
    assert is_always_open(hours, MONDAY) is always
    assert opener(hours)(MONDAY) is at_noon


@pytest.mark.parametrize("text", ["whenever", "25:00-26:00", "<script>"])
def test_what_is_no_opening_hours_is_refused(text: str) -> None:
    with pytest.raises(BadOpeningHours):
        opener(text)


def put(city: City, site: str, **fields: Any) -> dict[str, Any]:
    answer = city.client("maintainer").put(f"/api/v1/aed/sites/{site}", json=SITE | fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_share_that_is_reachable_at_all_hours_is_computed(city: City) -> None:
    put(city, "a")
    put(city, "b", opening_hours="Mo-Fr 08:00-18:00")
    put(city, "c", access="private")
    put(city, "d", battery_until="2026-02-01")
    put(city, "e", pads_until="2027-02-01")
    listed = city.client("family").get("/api/v1/aed/sites").json()
    assert (listed["reachable"], len(listed["sites"])) == (2, 5)
    assert [one["id"] for one in listed["sites"] if one["always_reachable"]] == ["a", "e"]


def test_a_patrol_that_finds_it_unfit_takes_it_out_of_service(city: City) -> None:
    first = put(city, "a")
    assert first["overdue"], "nobody has looked at it yet"
    patrol = city.client("maintainer").post
    well = patrol("/api/v1/aed/sites/a/patrols", json=WELL | {"pads_until": "2026-04-15"}).json()
    assert (well["usable"], well["due"], well["overdue"]) == (True, "2026-03-16", False)
    bad = patrol("/api/v1/aed/sites/a/patrols", json=WELL | {"indicator_ok": False}).json()
    assert (bad["usable"], bad["in_service"], bad["overdue"]) == (False, False, True)
    expired = patrol("/api/v1/aed/sites/a/patrols", json=WELL | {"battery_until": "2026-01-01"})
    assert expired.json()["usable"] is False
    missing = patrol("/api/v1/aed/sites/zz/patrols", json=WELL)
    assert (missing.status_code, missing.json()["code"]) == (404, "aed-unknown")


def test_a_file_comes_in_whole_or_not_at_all(city: City) -> None:
    text = (
        "ref,name,lat,lon,opening_hours,defibrillator:location\n"
        "a-1,Station,23.479,120.441,24/7,platform 1\n"
        "a-2,School,23.480,120.442,Mo-Fr 07:00-17:00,gate\n"
    )
    client = city.client("administrator")
    done = client.post("/api/v1/aed/sites/import?format=csv", content=text)
    assert done.json() == TWO
    assert client.post("/api/v1/aed/sites/import?format=csv", content=text).json() == TWO
    broken = text.replace("a-1,Station,23.479", "a-3,Station,95.0").replace("Mo-Fr", "Monday")
    refused = client.post("/api/v1/aed/sites/import", content=broken)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-aed-import")
    assert [one.partition(":")[0] for one in refused.json()["data"]["mistakes"]] == [
        "line 2",
        "line 3",
    ]
    exported = client.get("/api/v1/aed/sites/export?format=geojson")
    assert exported.headers["content-type"].startswith("application/geo+json")
    assert (
        client.post("/api/v1/aed/sites/import?format=geojson", content=exported.content).json()
        == TWO
    )
    assert len(client.get("/api/v1/aed/sites").json()["sites"]) == 2


def imported(city: City, text: str) -> dict[str, Any]:
    client = city.client("administrator")
    answer = client.post("/api/v1/aed/sites/import?format=csv", content=text)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def site_of(city: City, id: str = "a") -> dict[str, Any]:
    listed = city.client("maintainer").get("/api/v1/aed/sites").json()["sites"]
    return next(one for one in listed if one["id"] == id)


def test_what_a_file_does_not_say_stays_as_it_is(city: City) -> None:
    put(
        city,
        "a",
        opening_hours="Mo-Fr 08:00-18:00",
        pads_until="2027-02-01",
        access="customers",
        device="aed-9",
        in_service=False,
    )

    imported(city, "ref,name,lat,lon\na,Hall,23.49,120.45\nb,New,23.5,120.5\n")

    a, b = site_of(city), site_of(city, "b")
    assert (a["name"], a["name_zh"], a["latitude"]) == ("Hall", "市政府", 23.49)
    assert (a["opening_hours"], a["pads_until"]) == ("Mo-Fr 08:00-18:00", "2027-02-01")
    assert (a["access"], a["device"], a["in_service"]) == ("customers", "aed-9", False)
    assert (b["opening_hours"], b["in_service"]) == ("off", True)
    imported(city, "ref,name,lat,lon,opening_hours,in_service\na,Hall,23.49,120.45,,\n")
    assert site_of(city)["opening_hours"] == "Mo-Fr 08:00-18:00"
    assert site_of(city)["in_service"] is False


def test_what_a_patrol_took_out_of_service_no_file_puts_back(city: City) -> None:
    put(city, "a")
    patrol = city.client("maintainer").post
    patrol("/api/v1/aed/sites/a/patrols", json=WELL | {"indicator_ok": False})

    answer = imported(city, "ref,name,lat,lon,in_service\na,Hall,23.48,120.44,yes\n")

    assert answer == {"sites": 1, "kept_out": ["a"], "unknown": []}
    assert site_of(city)["in_service"] is False
    put(city, "a")
    assert site_of(city)["in_service"] is False, "a form that does not say it"
    patrol("/api/v1/aed/sites/a/patrols", json=WELL)
    assert site_of(city)["in_service"] is True
    listed = city.client("maintainer").get("/api/v1/aed/sites/a/patrols").json()["patrols"]
    assert [one["usable"] for one in listed] == [True, False]


def test_a_file_of_a_spreadsheet_here_is_big5_and_is_taken(city: City) -> None:
    text = "ref,name,name:zh,lat,lon\na,Hall,嘉義市政府一樓大廳,23.48,120.44\n"
    client = city.client("maintainer")
    for content in (text.encode("cp950"), text.encode("utf-8-sig")):
        answer = client.post("/api/v1/aed/sites/import?format=csv", content=content)
        assert answer.json() == {"sites": 1, "kept_out": [], "unknown": []}, answer.text
        assert site_of(city)["name_zh"] == "嘉義市政府一樓大廳"
    neither = b"ref,name,lat,lon\na,\xff\xff,23.48,120.44\n"
    for form, content in (("csv", neither), ("geojson", text.encode("cp950"))):
        refused = client.post(f"/api/v1/aed/sites/import?format={form}", content=content)
        assert (refused.status_code, refused.json()["code"]) == (422, "bad-aed-import")
        assert "UTF-8" in refused.json()["detail"]


def test_what_nothing_is_taken_from_is_named(city: City) -> None:
    text = "ref,name,lat,lon,Hight,defibrillator:code,,level\na,Hall,23.48,120.44,2,77,,1\n"
    assert imported(city, text)["unknown"] == ["defibrillator:code", "hight"]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [120.44, 23.48]},
            "properties": {"emergency": "defibrillator", "ref": ref, "name": "Hall", **more},
        }
        for ref, more in (
            ("a", {"wheelchair": "yes"}),
            ("b", {"contact:phone": "05", "source": ""}),
        )
    ]
    found = from_geojson(json.dumps({"features": features}))
    assert ([one.ref for one in found.sites], found.unknown) == (
        ["a", "b"],
        ["source", "wheelchair"],
    )
    many = ",".join(f"x{n:03}" for n in range(200))
    assert len(from_csv(f"ref,name,lat,lon,{many}\na,Hall,23.4,120.4\n".encode()).unknown) == 50


def test_a_large_file_lets_others_write_in_between(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces of which each is a transaction of its own."""
    rows = "".join(f"s-{n},Place {n},23.4,120.4\n" for n in range(120))
    turns: list[object] = []
    each = register.bring_in

    def counted(session: Session, *args: Any) -> bool:
        turns.append(session.get_transaction())
        return each(session, *args)

    monkeypatch.setattr(register, "bring_in", counted)
    imported(city, "ref,name,lat,lon\n" + rows)
    assert max(Counter(turns).values()) <= 50
    assert len(turns) == 120


def test_hours_that_cannot_be_read_hide_one_aed_and_stop_nothing(city: City) -> None:
    put(city, "a")
    put(city, "b")
    with city.services.engine.begin() as connection:  # as an older library took them
        connection.exec_driver_sql("UPDATE aed_sites SET opening_hours = 'whenever' WHERE id = 'a'")
    listed = city.client("family").get("/api/v1/aed/sites").json()
    assert [one["hours_readable"] for one in listed["sites"]] == [False, True]
    assert (listed["sites"][0]["open_now"], listed["reachable"]) == (False, 1)
    with city.services.sessions() as session:
        aeds, unreadable = register.to_fetch(session, city.time)
    assert ([one.id for one in aeds], unreadable) == (["b"], ["a"])


@pytest.mark.parametrize(
    ("device", "status"), [("aed-new", 200), ("mic-1", 422), ("NO!", 422), ("x" * 65, 422)]
)
def test_only_a_cabinet_watches_an_aed(city: City, device: str, status: int) -> None:
    answer = city.client("maintainer").put("/api/v1/aed/sites/a", json=SITE | {"device": device})
    assert answer.status_code == status
    text = f"ref,name,lat,lon,device\na,Hall,23.4,120.4,{device}\n"
    by_file = city.client("maintainer").post("/api/v1/aed/sites/import", content=text)
    assert by_file.status_code == status


@pytest.mark.parametrize("ref", ["", "-a", ".", "a b", "a" * 41, "a'b"])
def test_a_ref_that_no_address_can_name_is_refused(ref: str) -> None:
    with pytest.raises(BadImport):
        from_csv(f'ref,name,lat,lon\n"{ref}",Hall,23.4,120.4\n'.encode())


DAYS = st.dates(date(1950, 1, 1), date(2199, 12, 31))
texts = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff"), max_size=40
).map(str.strip)


@given(
    st.builds(
        SiteFields,
        name=texts.filter(bool),
        name_zh=texts,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        location=texts,
        operator=texts,
        level=st.sampled_from(["", "0", "-1", "3;4"]),
        indoor=st.booleans(),
        in_service=st.booleans(),
        access=st.sampled_from(["yes", "private", "customers"]),
        opening_hours=st.sampled_from(["24/7", "Mo-Fr 08:00-18:00"]),
        pads_until=st.none() | DAYS,
        battery_until=st.none() | DAYS,
    )
)
def test_what_goes_out_comes_in_again(fields: SiteFields) -> None:
    values = {name: getattr(fields, name) for name in SiteFields.__dataclass_fields__}
    row = AedSite(id="a-1", updated=MONDAY, checked=None, taken=False, **values)
    (by_csv,) = from_csv(to_csv([row]).encode()).sites
    (by_json,) = from_geojson(to_geojson([row])).sites
    said = dict(values, device=None)
    assert by_csv.fields == said
    # A file of OpenStreetMap's keys does not say what is empty.
    assert by_json.fields == {name: one for name, one in said.items() if one not in ("", None)}


@pytest.mark.parametrize("start", ["=cmd()", "+1+cmd", "@sum", "-2+3+cmd", "＋886-5-225"])
def test_a_name_is_no_formula(start: str) -> None:
    row = AedSite(
        id="a", name=start, name_zh="", latitude=1.0, longitude=2.0, location="", level="",
        indoor=False, access="yes", opening_hours="24/7", phone="", operator="", model="",
        in_service=True, checked=None, pads_until=None, battery_until=None, device=None,
        taken=False, updated=MONDAY,
    )  # fmt: skip
    line = to_csv([row]).splitlines()[1]
    assert line.split(",")[1] == f"'{start}"
    (back,) = from_csv(to_csv([row]).encode()).sites
    assert back.fields["name"] == start


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"features": 3}', '{"features": [{"geometry": null}]}', '{"features": [[]]}'],
)
def test_what_is_no_geojson_of_points_is_refused(text: str) -> None:
    with pytest.raises(BadImport):
        from_geojson(text)


@pytest.mark.parametrize(
    "text", ["", "ref,name\n", 'ref,name,lat,lon\n"a,b\n', "ref,name,lat,lon\na,b,c,d\n"]
)
def test_what_is_no_csv_of_aeds_is_refused(text: str) -> None:
    with pytest.raises(BadImport):
        from_csv(text.encode())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Of two columns of one name the last would count, and nobody would know.
        ("ref,name,lat,lon,phone,phone\na,Hall,23.48,120.44,05-1,05-2\n", "named twice: phone"),
        # A comma that nobody quoted moves what follows into the next column.
        ("ref,lat,lon,name\na,23.48,120.44,Hall, east door\n", "line 2: more cells"),
    ],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadImport, match=said):
        from_csv(text.encode())


def test_a_column_is_known_however_its_name_is_typed() -> None:
    """A date that is left out in silence is a defibrillator whose battery nobody changes."""
    head = "\ufeffRef, Name , lat, lon, Battery_Until\n"
    (one,) = from_csv((head + "a,Hall,23.48,120.44,2027-01-31,\n,,,,\n , ,\n").encode()).sites
    assert (one.ref, one.fields["name"]) == ("a", "Hall")
    assert one.fields["battery_until"] == date(2027, 1, 31)


OSM = """{"type": "FeatureCollection", "features": [
  {"type": "Feature", "id": "node/4711", "properties": {"@id": "node/4711",
    "emergency": "defibrillator", "defibrillator:location": "left of the ticket gates",
    "access": "yes", "opening_hours": "Mo-Su 06:00-24:00", "indoor": "yes", "level": "1",
    "contact:phone": "+886 5 222 3333", "check_date": "2026-01-15", "operator": "Railway"},
   "geometry": {"type": "Point", "coordinates": [120.4406, 23.4790]}},
  {"type": "Feature", "properties": {"@id": "node/4712", "emergency": "defibrillator"},
   "geometry": {"type": "Point", "coordinates": [120.4500, 23.4800]}}]}"""


def bring(city: City, text: str) -> Any:
    return city.client("maintainer").post(
        "/api/v1/aed/sites/import", params={"format": "geojson"}, content=text.encode()
    )


def listed(city: City) -> dict[str, dict[str, Any]]:
    answer = city.client("maintainer").get("/api/v1/aed/sites").raise_for_status()
    return {one["id"]: one for one in answer.json()["sites"]}


def test_openstreetmaps_own_extract_is_taken(city: City) -> None:
    """As Overpass exports it: few AEDs have names there, and none has a `ref`."""
    assert bring(city, OSM).raise_for_status().json() == TWO
    station, bare = (listed(city)[one] for one in ("node-4711", "node-4712"))
    assert station["name"] == "left of the ticket gates"
    assert (station["phone"], station["level"], station["indoor"]) == ("+886 5 222 3333", "1", True)
    assert (station["opening_hours"], station["checked"]) == ("Mo-Su 06:00-24:00", "2026-01-15")
    assert (bare["name"], bare["opening_hours"]) == ("AED node/4712", "off")


def test_an_extract_renames_nothing_and_its_check_is_no_patrol(city: City) -> None:
    bring(city, OSM).raise_for_status()
    put(city, "node-4711", name="Main station", opening_hours="24/7")
    client = city.client("maintainer")
    client.post("/api/v1/aed/sites/node-4711/patrols", json=WELL).raise_for_status()
    patrolled = listed(city)["node-4711"]["checked"]
    bring(city, OSM.replace("2026-01-15", "2026-02-20")).raise_for_status()
    station = listed(city)["node-4711"]
    assert (station["name"], station["checked"]) == ("Main station", patrolled)
    assert station["opening_hours"] == "Mo-Su 06:00-24:00", "what the file says, it says"


def test_a_check_in_the_future_postpones_no_patrol(city: City) -> None:
    bring(city, OSM.replace("2026-01-15", "2099-01-15")).raise_for_status()
    assert listed(city)["node-4711"]["checked"] is None


def test_values_of_openstreetmap_that_are_not_told_apart_here_keep_no_extract_out() -> None:
    """https://wiki.openstreetmap.org/wiki/Tag:emergency=defibrillator: ``access=permit``,
    ``indoor=room``, two telephones, a month of a check."""
    tags = {
        "@id": "node/4711",
        "emergency": "defibrillator",
        "access": "permit",
        "indoor": "room",
        "phone": "+886 5 222 8904;+886 5 222 8905;+886 912 345 678",
        "check_date": "2025-07",
    }
    point = {"type": "Point", "coordinates": [120.44, 23.48]}
    extract = {"features": [{"type": "Feature", "geometry": point, "properties": tags}]}
    (site,) = from_geojson(json.dumps(extract)).sites
    fields = site.fields
    assert (fields["access"], fields["indoor"], fields["phone"]) == (
        "unknown",
        True,
        "+886 5 222 8904",
    )
    assert "checked" not in fields


NATION = (
    "場所ID,場所名稱,場所縣市,場所區域,場所地址,場所分類,場所類型,場所描述,AEDID,AED放置地點,"
    "AED地點描述,地點LAT,地點LNG,周一至周五起,周一至周五迄,周六起,周六迄,周日起,周日迄,"
    "開放使用時間備註,開放時間緊急連絡電話\r\n"
)
STATION = (
    "17,嘉義火車站,嘉義市,西區,中山路528號,交通要衝,車站,EMPTY,4711,大廳服務台,EMPTY,"
    "23.4791,120.4414,{hours},{remark},{phone}\r\n"
)
WHOLE_DAY = "00:00:00,23:59:00"


def nation(hours: str, remark: str = "EMPTY", phone: str = "05-2228904") -> str:
    return NATION + STATION.format(hours=hours, remark=remark, phone=phone)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (",".join([WHOLE_DAY] * 3), "24/7"),
        ("08:00:00,17:30:00,08:00:00,12:00:00,,", "Mo-Fr 08:00-17:30; Sa 08:00-12:00"),
        ("8:00,24:00:00,EMPTY,EMPTY,18:00:00,02:00:00", "Mo-Fr 08:00-24:00; Su 18:00-02:00"),
        (",,,,,", "off"),
        ("00:00:00,00:00:00,-,-,-,-", "off"),
    ],
)
def test_the_national_registers_table_comes_in_as_it_is(
    city: City, hours: str, expected: str
) -> None:
    """https://tw-aed.mohw.gov.tw/openData?t=csv"""
    remark, phone = "夜間請按門鈴", '"05-2228904\n分機 12"'
    answer = imported(city, "\ufeff" + nation(hours, remark, phone))
    assert answer["unknown"] == ["場所id", "場所分類", "場所描述", "場所類型"]
    site = site_of(city, "4711")
    assert (site["name"], site["name_zh"], site["opening_hours"]) == (
        "嘉義火車站",
        "嘉義火車站",
        expected,
    )
    assert (site["latitude"], site["longitude"]) == (23.4791, 120.4414)
    assert site["location"] == "大廳服務台, 嘉義市西區中山路528號, 夜間請按門鈴"
    assert site["phone"] == "05-2228904"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (nation("依公告,,,,,"), "line 2: 周一至周五起: '依公告' to '' are no hours"),
        (nation("25:00:00,26:00:00,,,,"), "line 2: 周一至周五起"),
        (nation(",,,,,").replace("23.4791", ""), "line 2: lat is no number"),
        (
            nation(",,,,,").replace("23.4791,120.4414", "0,0"),
            "line 2: 地點LAT and 地點LNG are empty or 0",
        ),
        (nation(",,,,,").replace("23.4791,120.4414", "120.4414,23.4791"), "line 2: lat lies"),
        (nation(",,,,,") + STATION.format(hours=",,,,,", remark="", phone=""), "is there twice"),
    ],
)
def test_lines_of_the_national_register_that_say_no_place_or_no_hours_are_named(
    table: str, said: str
) -> None:
    with pytest.raises(BadImport, match=said):
        from_csv(table.encode())


def test_a_file_of_something_else_is_refused(city: City) -> None:
    other = OSM.replace('"emergency": "defibrillator"', '"emergency": "fire_hydrant"')
    refused = bring(city, other)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-aed-import")
    assert "fire_hydrant" in refused.text
    assert listed(city) == {}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *(("2027/5/31", date(2027, 5, 31)), ("116/05/31", date(2027, 5, 31))),
        *(("民國116年5月31日", date(2027, 5, 31)), ("１１６．５．３１", date(2027, 5, 31))),
        *(("0116-05-31", None), ("5/31/2027", None), ("27/5/31", None), ("46538", None)),
    ],
)
def test_days_are_read_as_people_here_write_them(written: str, read: date | None) -> None:
    """A year that is read as another one is a battery that nobody changes."""
    text = f"ref,name,lat,lon,battery_until\na,Hall,23.4,120.4,{written}\n".encode()
    if read is None:
        with pytest.raises(BadImport, match="write it as 2027-05-31"):
            from_csv(text)
    else:
        assert from_csv(text).sites[0].fields["battery_until"] == read


def test_a_file_with_another_domains_device_changes_nothing(city: City) -> None:
    """Also where it stands behind what is written at once."""
    lines = [f"s-{n},Place {n},23.4,120.4," for n in range(80)]
    text = "\n".join(["ref,name,lat,lon,device", *lines, "last,Last,23.4,120.4,mic-1", ""])
    refused = city.client("maintainer").post("/api/v1/aed/sites/import", content=text)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-aed-import")
    assert "last: 'mic-1' is no AED cabinet" in refused.json()["detail"]
    assert city.client("maintainer").get("/api/v1/aed/sites").json()["sites"] == []


def test_two_aeds_of_a_file_have_not_one_cabinet() -> None:
    lines = "a,Hall,23.4,120.4,aed-1\nb,Gate,23.4,120.4,aed-1\n"
    with pytest.raises(BadImport, match="line 3: device 'aed-1' is that of a"):
        from_csv(f"ref,name,lat,lon,device\n{lines}".encode())


def test_a_telephone_number_that_a_spreadsheet_shortened_is_told() -> None:
    with pytest.raises(BadImport, match=r"line 2: phone: 8\.86912E\+11 was a longer number"):
        from_csv(b"ref,name,lat,lon,phone\na,Hall,23.4,120.4,8.86912E+11\n")


def test_a_spreadsheet_here_opens_what_was_taken_out(city: City) -> None:
    """Without a byte order mark it takes UTF-8 for Big5, and saves what it made of the names."""
    put(city, "a")
    exported = city.client("maintainer").get("/api/v1/aed/sites/export?format=csv")
    assert exported.content.startswith(b"\xef\xbb\xbfref,")
