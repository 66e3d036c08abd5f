"""Registers: looked at, added to, changed, retired, taken out and brought in as files, followed."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from cloud_city import GATEWAY, NAME, PASSWORD, TAG, City
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.rows import new_device
from vigil_cloud.identity import districts
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named

PATH = "/api/v1/registers"


def get(city: City, path: str) -> Any:
    answer = city.client("administrator").get(f"{PATH}{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows(city: City, register: str) -> dict[str, Any]:
    told = get(city, f"/{register}")
    return {row[told["register"]["key"]]: row for row in told["rows"]}


def put(city: City, register: str, key: str, *, new: bool = False, **values: Any) -> Any:
    body = {"key": key, "new": new, "values": values}
    return city.client("administrator").put(f"{PATH}/{register}/entry", json=body)


def retire(city: City, register: str, key: str) -> Any:
    return city.client("administrator").post(f"{PATH}/{register}/retirement", json={"key": key})


def bring(city: City, register: str, text: str | bytes, *, dry_run: bool = False) -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    return city.client("administrator").post(
        f"{PATH}/{register}/import?dry_run={str(dry_run).lower()}", content=content
    )


def actions(city: City, register: str, key: str) -> list[tuple[str, str]]:
    lines = city.client("administrator").get(f"{PATH}/{register}/history", params={"key": key})
    return [(line["account"], line["action"]) for line in lines.json()["lines"]]


def test_every_register_can_be_looked_at_and_taken_out(city: City) -> None:
    city.one_of_each()
    listed = get(city, "")["registers"]
    assert [one["name"] for one in listed] == [
        *("accounts", "channels", "policies", "homes", "districts", "gateways", "devices"),
        *("people", "tags"),
    ]
    for one in listed:
        told = get(city, f"/{one['name']}")
        assert told["register"] == one
        columns = [column["name"] for column in one["columns"] if not column["secret"]]
        answer = city.client("administrator").get(f"{PATH}/{one['name']}/export")
        assert answer.content.startswith("\ufeff".encode())
        table = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert (table[0], len(table) - 1) == (columns, len(told["rows"]))
        # What was taken out is taken in again, and changes nothing.
        if one["may_add"] or one["may_change"]:
            again = bring(city, one["name"], answer.content).json()
            assert (again["done"], again["added"], again["changed"]) == (True, [], []), one
    answer = city.client("administrator").get(f"{PATH}/nothing")
    assert answer.status_code == 404


@pytest.mark.parametrize("role", [Role.MAINTAINER, Role.REGISTRAR, Role.FAMILY])
def test_registers_are_for_administrators(city: City, role: Role) -> None:
    client = city.client(role.value)
    assert client.get(PATH).status_code == 403
    assert client.get(f"{PATH}/people").status_code == 403
    assert client.get(f"{PATH}/people/export").status_code == 403


def test_an_account_is_added_with_a_first_password_and_changed(city: City) -> None:
    added = put(
        city, "accounts", "chen", new=True, roles=["inspector"], display_name="Chen", active=True
    )
    assert added.status_code == 200, added.text
    password = added.json()["told"]
    signed = city.anonymous().post(
        "/api/v1/session", json={"username": "chen", "password": password}
    )
    assert signed.status_code == 200, signed.text
    assert password not in str(rows(city, "accounts")["chen"])

    assert put(city, "accounts", "chen", email="c@example.org", roles=["reviewer"]).json() == {
        "key": "chen",
        "told": None,
    }
    row = rows(city, "accounts")["chen"]
    assert (row["email"], row["roles"], row["display_name"]) == (
        "c@example.org",
        ["reviewer"],
        "Chen",
    )
    assert retire(city, "accounts", "chen").status_code == 204
    assert rows(city, "accounts")["chen"]["active"] is False
    said = [action for _, action in actions(city, "accounts", "chen")]
    assert {"account.closed", "account.changed", "account.roles", "account.added"} <= set(said)


@pytest.mark.parametrize(
    ("key", "new", "values", "column"),
    [
        ("chen", True, {}, "roles"),
        ("chen", True, {"roles": ["wizard"]}, "roles"),
        ("no blanks", True, {"roles": ["police"]}, "username"),
        ("administrator", True, {"roles": ["police"]}, "username"),
        ("administrator", False, {"created": "2020"}, "created"),
        ("administrator", False, {"shoe_size": 43.0}, "shoe_size"),
        ("administrator", False, {"active": "yes"}, "active"),
        ("administrator", False, {"display_name": "two\nlines"}, "display_name"),
        ("administrator", False, {"display_name": "turned\u202egniht"}, "display_name"),
    ],
)
def test_a_wrong_entry_names_its_column(
    city: City, key: str, new: bool, values: dict[str, Any], column: str
) -> None:
    answer = put(city, "accounts", key, new=new, **values)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-entry"), answer.text
    assert answer.json()["data"]["column"] == column


def test_the_last_administrator_stays_one(city: City) -> None:
    assert put(city, "accounts", "administrator", roles=["family"]).status_code == 409
    assert retire(city, "accounts", "administrator").status_code == 409
    assert put(city, "accounts", "administrator", display_name="Wu").status_code == 200


def test_a_channels_address_is_written_and_never_shown(city: City) -> None:
    secret = "json://127.0.0.1/very-secret-path"
    added = put(
        city, "channels", "hall", new=True, address=secret, role="police", domains=["water"]
    )
    assert added.status_code == 200, added.text
    assert "very-secret" not in str(get(city, "/channels"))
    taken = city.client("administrator").get(f"{PATH}/channels/export").text
    assert "very-secret" not in taken
    assert rows(city, "channels")["hall"]["role"] == "police"
    assert (
        put(city, "channels", "hall", new=True, address=secret, role="police").json()["code"]
        == "bad-entry"
    )
    assert put(city, "channels", "hall", address="json://127.0.0.1/x").json()["code"] == "bad-entry"
    assert retire(city, "channels", "hall").status_code == 204
    assert "hall" not in rows(city, "channels")
    assert actions(city, "channels", "hall")[0] == ("administrator", "channel.removed")


def test_a_file_is_looked_at_first_and_taken_whole_or_not_at_all(city: City) -> None:
    good = "district,name,name_zh\r\neast,East,東區\r\nwest,West,西區\r\n"
    looked = bring(city, "districts", good, dry_run=True).json()
    assert (looked["done"], looked["added"]) == (False, ["east", "west"])
    assert "east" not in rows(city, "districts")
    taken = bring(city, "districts", good.encode("cp950")).json()
    assert (taken["done"], taken["added"], taken["mistakes"]) == (True, ["east", "west"], [])

    mixed = "編號,英文名稱,中文名稱\neast,Far East,東區\nwest,,西區\nno good,N,北\neast,E,東\n"
    wrong = bring(city, "districts", mixed).json()
    assert wrong["done"] is False
    assert [one["line"] for one in wrong["mistakes"]] == [4, 5]
    assert rows(city, "districts")["east"]["name"] == "East", "nothing of it was taken"
    fine = bring(city, "districts", "district,name\neast,Far East\nwest,West\n").json()
    assert (fine["changed"], fine["same"]) == (["east"], 1)
    assert rows(city, "districts")["east"]["name_zh"] == "東區", "what it does not name stays"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"name,name_zh\nEast,x\n", "lacks the column district"),
        (b"district,colour\neast,red\n", "no column"),
        (b"district,district\neast,red\n", "twice"),
        (b"district,name\neast,a,b,c\n", "more cells"),
        (b"\xff\xfe\x00d\n", "neither UTF-8 nor Big5"),
        (b"district,name\neast,nul\x00\n", "no text"),
        ("district,name\neast,E\n".encode("utf-16-le"), "no text"),
        (b"district\n" + b"x\n" * 501, "More than 500"),
        (b'district\n"east\n', "no CSV"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(city: City, content: bytes, said: str) -> None:
    answer = bring(city, "districts", content)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-register-file")
    assert said in answer.json()["detail"]


def test_accounts_of_a_file_get_their_first_passwords_once(city: City) -> None:
    text = "username,roles,display_name\nlin,inspector;reviewer,林\n"
    looked = bring(city, "accounts", text, dry_run=True).json()
    assert looked["told"] == {}, "nobody has that password"
    taken = bring(city, "accounts", text).json()
    assert taken["done"], taken
    who = {"username": "lin", "password": taken["told"]["lin"]}
    assert city.anonymous().post("/api/v1/session", json=who).status_code == 200
    assert rows(city, "accounts")["lin"]["roles"] == ["inspector", "reviewer"]


def test_a_cell_that_is_a_formula_is_written_as_text(city: City) -> None:
    assert put(city, "districts", "odd", new=True, name="=1+1", name_zh="＝x").status_code == 200
    text = city.client("administrator").get(f"{PATH}/districts/export").content.decode("utf-8-sig")
    assert "odd,'=1+1,'＝x" in text
    assert bring(city, "districts", text).json()["changed"] == []


def test_a_new_guardian_is_opened_what_the_entry_names(city: City) -> None:
    city.account("son", Role.FAMILY)
    (may,) = [
        one for one in get(city, "/people")["register"]["columns"] if one["name"] == "guardians_may"
    ]
    assert may["beforehand"] == may["options"] == ["last_place", "footprint", "live", "alerts"]
    silent = put(city, "people", "p9", new=True, name="Lin", guardians=["family"])
    assert silent.status_code == 200, silent.text
    assert rows(city, "people")["p9"]["not_called"] == ["family"]
    named: dict[str, Any] = {"guardians": ["family", "son"], "guardians_may": ["alerts", "live"]}
    assert put(city, "people", "p9", **named).status_code == 200
    told = rows(city, "people")["p9"]
    assert (told["not_called"], told.get("guardians_may")) == (["family"], None)
    (mine,) = city.client("son").get("/api/v1/people/mine").json()["people"]
    assert [one["scope"] for one in mine["scopes"]] == ["live", "alerts"]
    refused = put(city, "people", "p9", guardians=["family"], guardians_may=["everything"])
    assert refused.json()["code"] == "bad-entry"


def test_people_are_shown_by_name_and_tag_and_never_by_place(city: City) -> None:
    city.one_of_each()
    told = rows(city, "people")["p1"]
    assert (told["name"], told["tags"]) == (NAME, [TAG])
    assert "latitude" not in str(told)
    with city.services.sessions() as session:
        before = session.query(AuditEntry).filter_by(action="person.exported").count()
    city.client("administrator").get(f"{PATH}/people/export")
    with city.services.sessions() as session:
        after = session.query(AuditEntry).filter_by(action="person.exported").count()
    assert after == before + len(rows(city, "people")), "each person's guardian sees it"

    city.guardian("family")
    looks = city.client("family").get("/api/v1/people/p1/footprints")
    assert looks.status_code in (200, 403)
    assert not [one for _, one in actions(city, "people", "p1") if "footprints" in one]

    assert put(city, "people", "p9", new=True, name="Lin").status_code == 200
    assert put(city, "people", "p9", name="Lin Mei").status_code == 200
    assert rows(city, "people")["p9"]["name"] == "Lin Mei"
    said = [one for _, one in actions(city, "people", "p9")]
    assert said[:2] == ["person.renamed", "person.enrolled"]
    given = put(city, "tags", TAG[:-1] + "8", new=True, person="p9")
    assert given.status_code == 200, given.text
    assert retire(city, "tags", TAG[:-1] + "8").status_code == 204
    assert actions(city, "tags", TAG[:-1] + "8")[0] == ("administrator", "tag.taken")


def test_homes_are_brought_in_by_a_file(city: City) -> None:
    text = "代號,名稱,地址,緯度,經度\nlin,林宅,中山路\u30007 號,23.5,120.4\nwu,吳宅,,,\n"
    assert bring(city, "homes", text).json()["added"] == ["lin", "wu"]
    lin = rows(city, "homes")["lin"]
    assert (lin["name"], lin["address"], lin["latitude"]) == ("林宅", "中山路\u30007 號", 23.5)
    assert put(city, "homes", "lin", address="7 Zhongshan Road").status_code == 200
    assert rows(city, "homes")["lin"]["longitude"] == 120.4, "what is not written stays"
    half = put(city, "homes", "wu", latitude=23.0)
    assert (half.status_code, half.json()["data"]["column"]) == (422, "longitude")
    assert put(city, "homes", "wu", latitude=230.0, longitude=1.0).status_code == 422
    assert retire(city, "homes", "wu").json()["code"] == "bad-entry", "erasing is an act of its own"
    said = [one for _, one in actions(city, "homes", "lin")]
    assert said == ["household.changed", "household.added"]


def test_where_devices_and_gateways_stand_is_brought_in_by_a_file(city: City) -> None:
    put(city, "districts", "east", new=True, name="East", name_zh="東區")
    text = "device,district\nsonde-1,east\nmic-1,nowhere\n"
    wrong = bring(city, "devices", text).json()
    assert (wrong["done"], len(wrong["mistakes"])) == (False, 1)
    assert bring(city, "devices", "device,district\nsonde-1,east\n").json()["done"]
    assert bring(city, "gateways", f"gateway,district\n{GATEWAY},east\n").json()["done"]
    assert rows(city, "devices")["sonde-1"]["district"] == "east"
    assert bring(city, "devices", "device,district\nnew-1,east\n").json()["mistakes"]
    assert actions(city, "devices", "sonde-1")[0] == ("administrator", "device.placed")
    assert PASSWORD not in str(get(city, "/accounts"))


def test_devices_and_gateways_of_other_districts_are_not_there(city: City) -> None:
    """An administrator of a district keeps what stands in it."""
    for district, zh in (("east", "東區"), ("west", "西區")):
        put(city, "districts", district, new=True, name=district, name_zh=zh)
    assert bring(city, "devices", "device,district\nsonde-1,east\nmic-1,west\n").json()["done"]
    with writing(city.services.sessions) as session:
        account = account_named(session, "administrator")
        districts.limit(session, account, ["east"], by="operator", now=city.time)
    assert set(rows(city, "devices")) == {"sonde-1"}
    assert rows(city, "gateways") == {}
    moved = put(city, "devices", "mic-1", district="east")
    assert (moved.status_code, moved.json()["code"]) == (404, "unknown-device")
    moved = put(city, "gateways", GATEWAY, district="east")
    assert (moved.status_code, moved.json()["code"]) == (404, "unknown-gateway")


def test_a_device_of_a_domain_that_nobody_has_described_is_closed(city: City) -> None:
    with writing(city.services.sessions) as session:
        odd = new_device("odd-1", GATEWAY, "odd", city.time)
        insert_missing(session, Device, [odd])
    assert "odd-1" not in rows(city, "devices")
    assert put(city, "devices", "odd-1", district="east").status_code == 404


@pytest.mark.parametrize(
    ("key", "values", "column"),
    [
        ("settings 9", {"role": "dispatcher", "address": "json://127.0.0.1/x"}, "name"),
        ("push of somebody", {"role": "dispatcher", "address": "json://127.0.0.1/x"}, "name"),
        ("hook", {"role": "dispatcher", "address": "the blue one"}, "address"),
        ("hook", {"address": "json://127.0.0.1/x"}, "account"),
        ("ho\u200bok", {"role": "dispatcher", "address": "json://127.0.0.1/x"}, None),
    ],
)
def test_a_channel_that_cannot_work_is_refused_at_its_column(
    city: City, key: str, values: dict[str, Any], column: str | None
) -> None:
    answer = put(city, "channels", key, new=True, **values)
    problem = answer.json()
    assert answer.status_code == 422, problem
    if column is not None:
        assert (problem["code"], problem["data"]["column"]) == ("bad-entry", column)
        assert values.get("address", "-") not in problem["detail"], "an address may hold a password"
    assert key not in rows(city, "channels")


@pytest.mark.parametrize(
    ("register", "key", "values", "column", "longest"),
    [
        ("accounts", "lin", {"roles": ["family"]}, "display_name", 120),
        ("accounts", "lin", {"roles": ["family"]}, "email", 254),
        ("districts", "north", {"name_zh": "北"}, "name", 80),
        ("districts", "north", {"name": "North"}, "name_zh", 80),
        ("homes", "home-9", {}, "name", 120),
        ("homes", "home-9", {"name": "Lin"}, "address", 200),
        ("people", "p-9", {}, "name", 120),
    ],
)
def test_no_text_is_longer_than_its_place(
    city: City, register: str, key: str, values: dict[str, Any], column: str, longest: int
) -> None:
    """SQLite keeps what is too long, and PostgreSQL fails: both are told before."""
    answer = put(city, register, key, new=True, **values, **{column: "x" * (longest + 1)})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-entry")
    answer = put(city, register, key, new=True, **values, **{column: "x" * longest})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["two\nlines", "turned\u202e", "bell\x07", "\u200b"])
def test_a_name_in_a_file_is_one_line_as_on_the_page(city: City, name: str) -> None:
    text = f'name,address,role\n"{name}",json://127.0.0.1:9/,dispatcher\n'
    told = bring(city, "channels", text).json()
    assert (told["done"], told["added"]) == (False, []), told
    assert [one["line"] for one in told["mistakes"]] != []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 400])
def test_a_number_that_is_none_stands_in_no_register(city: City, number: str) -> None:
    """JSON knows none of the first three, and what reads it does."""
    values = f'{{"name": "Chen", "latitude": {number}, "longitude": {number}}}'
    answer = city.client("administrator").put(
        f"{PATH}/homes/entry",
        content=f'{{"key": "h1", "new": true, "values": {values}}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    told = bring(city, "homes", f"home,name,latitude,longitude\nh1,Chen,{number},{number}\n")
    assert told.json()["mistakes"], told.text
    assert rows(city, "homes") == {}


SHEET = [["district", "name", "name_zh"], ["east", "East, far", "東區"], ["west", "West", "西區"]]


def sheet(separator: str, *, head: str = "", tail: str = "") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(SHEET)
    return head + text.getvalue() + tail


@pytest.mark.parametrize(
    "content",
    [
        sheet(",", tail=",,\r\n , ,\r\n").encode("utf-8-sig"),
        sheet(";").encode(),
        sheet(";", head="sep=;\r\n").encode("utf-8-sig"),
        sheet("\t").encode("utf-16"),
        sheet("\t", head='"sep=\t"\r\n').encode(),
        sheet(";").encode("cp950"),
        sheet(",")
        .replace("district,name,name_zh", "ＤＩＳＴＲＩＣＴ,Name In  English,name_ZH,,")
        .encode(),
        sheet(",").replace("\r\n", "\r").encode(),
    ],
)
def test_a_table_is_read_however_a_spreadsheet_saved_it(city: City, content: bytes) -> None:
    taken = bring(city, "districts", content).json()
    assert (taken["done"], taken["added"]) == (True, ["east", "west"]), taken
    assert rows(city, "districts")["east"]["name"] == "East, far"
    exported = city.client("administrator").get(f"{PATH}/districts/export").content
    again = bring(city, "districts", exported).json()
    assert (again["added"], again["changed"], again["same"]) == ([], [], 2)


@pytest.mark.parametrize(
    ("register", "text", "said"),
    [
        ("people", "person,name\n8.86912E+11,Lin\n", "person: 8.86912E+11 was a longer number"),
        ("tags", "tag,person\n1.2E+10,p1\n", "tag: 1.2E+10 was a longer number"),
        ("districts", "district,name,name_zh\neast,#REF!,東\n", "name: #REF! is a spreadsheet"),
        ("districts", "district,name,name_zh\neast,########,東\n", "name: ######## stands for"),
        ("homes", "home,name,latitude,longitude\na,A,2_3,120\n", "latitude: is a number"),
    ],
)
def test_what_a_spreadsheet_spoilt_is_told_at_its_line(
    city: City, register: str, text: str, said: str
) -> None:
    wrong = bring(city, register, text).json()
    assert wrong["done"] is False
    ((line, told),) = [(one["line"], one["text"]) for one in wrong["mistakes"]]
    assert line == 2
    assert said in told


def test_numbers_of_full_width_are_numbers(city: City) -> None:
    assert bring(city, "homes", "home,name,latitude,longitude\na,A,２３．５,１２０\n").json()[
        "done"
    ]
    assert rows(city, "homes")["a"]["latitude"] == 23.5


def test_what_was_looked_at_is_what_is_taken(city: City) -> None:
    """A guardian who was added in between is not taken away by an older file."""
    for name in ("son", "niece"):
        city.account(name, Role.FAMILY)
    assert put(city, "people", "p9", new=True, name="Lin", guardians=["son"]).status_code == 200
    text = "person,name,guardians\np9,Lin,son\n"
    looked = bring(city, "people", text, dry_run=True).json()
    assert (looked["same"], looked["changed"]) == (1, [])
    assert put(city, "people", "p9", guardians=["son", "niece"]).status_code == 200

    def take() -> Any:
        path = f"{PATH}/people/import?looked={looked['looked']}"
        return city.client("administrator").post(path, content=text.encode())

    refused = take()
    assert (refused.status_code, refused.json()["code"]) == (409, "register-changed")
    assert set(rows(city, "people")["p9"]["guardians"]) == {"niece", "son"}
    looked = bring(city, "people", text, dry_run=True).json()
    assert looked["changed"] == ["p9"]
    assert take().json()["done"], "as it was looked at"
    assert rows(city, "people")["p9"]["guardians"] == ["son"]


def test_a_file_whose_answer_was_lost_is_taken_again_as_done(city: City) -> None:
    text = "home,name,latitude,longitude\na,Lin,23.5,120\n"
    looked = bring(city, "homes", text, dry_run=True).json()
    path = f"{PATH}/homes/import?looked={looked['looked']}"

    def take() -> Any:
        return city.client("administrator").post(path, content=text.encode())

    assert take().json()["added"] == ["a"]
    again = take().json()
    assert (again["done"], again["added"], again["changed"], again["same"]) == (True, [], [], 1)
